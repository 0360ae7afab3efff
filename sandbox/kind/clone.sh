#!/bin/bash
# First process of a node that is copied from a template: at its first start it takes over what the template has in /var and
# becomes the node with this address; then, and at every later start, it is the node image's own entrypoint. The layers of
# container images are not copied but read where they are, so that all clusters share them on disk and in memory.
set -eu
if [ ! -e /kind/cloned ]; then
  cd /kind/template
  layers='lib/containerd/io.containerd.snapshotter.v1.*/snapshots/*'
  tar --create --sparse --exclude="./$layers" . | tar --extract --directory=/var
  for layer in $layers; do
    if [ -e "$layer" ]; then ln -s "/kind/template/$layer" "/var/$layer"; fi
  done
  old=$(cat /kind/old-ipv4)
  for file in /kind/kubeadm.conf /var/lib/kubelet/kubeadm-flags.env /etc/kubernetes/manifests/*.yaml; do
    if [ -e "$file" ]; then sed -i "s#\b${old//./\\.}\b#$LABERNETES_ADDRESS#g" "$file"; fi
  done
  printf %s "$LABERNETES_ADDRESS" >/kind/old-ipv4
  # until kube-proxy knows a Service, a packet to it would be lost on its way out and its sender wait for half a minute
  cat >/etc/systemd/system/labernetes-services.service <<'UNIT'
[Unit]
Description=Refuses Service addresses until kube-proxy knows them
Before=kubelet.service
[Service]
ExecStartPre=/usr/sbin/iptables --wait --insert FORWARD --destination 10.96.0.0/16 --jump REJECT
ExecStart=/bin/sh -c 'until iptables --wait --list-rules KUBE-SERVICES; do sleep 0.3; done >/dev/null 2>&1'
ExecStopPost=/usr/sbin/iptables --wait --delete FORWARD --destination 10.96.0.0/16 --jump REJECT
UNIT
  ln -s ../labernetes-services.service /etc/systemd/system/multi-user.target.wants/
  touch /kind/cloned
  cd /
fi
exec /usr/local/bin/entrypoint "$@"
