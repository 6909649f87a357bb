"""Kubernetes manifests as facts about pods; nothing here talks to a cluster.

Start at `cpuplace_k8s.manifests.read_manifests` (texts) or `cpuplace_k8s.files.read_files` (paths). They need PyYAML
(`pip install cpuplace[k8s]`), so this package itself imports neither.
"""
