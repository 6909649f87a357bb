"""containerd's configuration: everything below one short folder, NRI on, no network of its own."""

from pathlib import Path
from typing import Final

import attrs

from .images import PAUSE

COMMON: Final = """\
version = {version}
root = '{base}/root'
state = '{base}/state'
temp = '{base}/tmp'
[grpc]
  address = '{base}/c.sock'
[debug]
  level = 'info'
  format = 'json'
[plugins]
  [plugins.'io.containerd.internal.v1.opt']
    path = '{base}/opt'
  [plugins.'io.containerd.nri.v1.nri']
    disable = false
    disable_connections = false
    socket_path = '{base}/nri.sock'
    plugin_path = '{base}/plugins'
    plugin_config_path = '{base}/conf.d'
    plugin_registration_timeout = '{registration}'
    plugin_request_timeout = '{request}'
"""

RUNC: Final = """\
default_runtime_name = 'runc'
[plugins.'{cri}'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  sandboxer = 'podsandbox'
  [plugins.'{cri}'.containerd.runtimes.runc.options]
    BinaryName = '{runc}'
    Root = '{base}/runc'
    SystemdCgroup = false
"""

OLD: Final = (
    """\
[plugins.'{cri}']
  sandbox_image = '{pause}'
  disable_apparmor = true
  restrict_oom_score_adj = true
  enable_cdi = false
[plugins.'{cri}'.cni]
  bin_dir = '{base}/cni-bin'
  conf_dir = '{base}/cni'
[plugins.'{cri}'.containerd]
snapshotter = 'overlayfs'
"""
    + RUNC
)

NEW: Final = (
    """\
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{pause}'
[plugins.'{cri}']
  disable_apparmor = true
  restrict_oom_score_adj = true
  enable_cdi = false
[plugins.'{cri}'.cni]
  bin_dirs = ['{base}/cni-bin']
  conf_dir = '{base}/cni'
[plugins.'{cri}'.containerd]
"""
    + RUNC
)


@attrs.frozen(slots=True, kw_only=True)
class Patience:
    """How long containerd waits for a plugin, in its own words."""

    registration: str = "5s"
    request: str = "2s"


def text(version: str, *, base: Path, runc: Path, patience: Patience) -> str:
    """The configuration file for this version of containerd."""
    old = version.startswith("1.")
    return (COMMON + (OLD if old else NEW)).format(
        version=2 if old else 3,
        cri="io.containerd.grpc.v1.cri" if old else "io.containerd.cri.v1.runtime",
        base=base,
        runc=runc,
        pause=PAUSE,
        registration=patience.registration,
        request=patience.request,
    )
