"""Kubernetes manifests as facts about pods; nothing here talks to a cluster."""

from cpuplace_k8s.files import read_files as read_files
from cpuplace_k8s.manifests import Manifests as Manifests
from cpuplace_k8s.manifests import read_manifests as read_manifests
