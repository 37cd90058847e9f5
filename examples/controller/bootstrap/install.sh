#!/usr/bin/env bash
# Turns an Ubuntu machine into one that `join.sh` can join with: run as root by `image.pkr.hcl`. Files come by digest; nothing is started.
# JOIN: the path of join.sh; DISTRIBUTION: k3s or kubeadm; KUBERNETES: its version; DIGESTS: name=sha256 with spaces between.
set -euo pipefail
umask 022

readonly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
readonly ROOT=
export PATH

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
declare -A digests=()
for pair in ${DIGESTS:-}; do
    [[ $pair =~ ^([a-z0-9]+)=([0-9a-f]{64})$ ]] || fail "digest ${pair:0:100}: expected name=sha256"
    digests[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
done

case ${DISTRIBUTION:-} in
    k3s)
        [[ ${KUBERNETES:-} =~ ^v1\.[0-9]{1,3}\.[0-9]{1,3}\+k3s[0-9]{1,2}$ ]] || fail "version ${KUBERNETES:-}: expected one like v1.33.4+k3s1"
        wanted=(k3s installer)
        ;;
    kubeadm)
        [[ ${KUBERNETES:-} =~ ^v1\.[0-9]{1,3}\.[0-9]{1,3}$ ]] || fail "version ${KUBERNETES:-}: expected one like v1.33.4"
        wanted=(kubeadm kubelet kubectl)
        ;;
    *) fail "distribution ${DISTRIBUTION:-}: expected k3s or kubeadm" ;;
esac
[[ $(printf '%s\n' "${!digests[@]}" | sort) == $(printf '%s\n' "${wanted[@]}" | sort) ]] || fail "digests of ${!digests[*]}: expected those of ${wanted[*]}"
bash -n "${JOIN:?}" || fail "$JOIN is no script"

download() {
    curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 5 --max-time 300 --output "$scratch/$1" "$2" ||
        fail "cannot download $2"
    printf '%s  %s\n' "${digests[$1]}" "$scratch/$1" | sha256sum --check --status || fail "$2 has another digest"
}

if [[ $DISTRIBUTION == k3s ]]; then
    tag=${KUBERNETES/+/%2B}
    download k3s "https://github.com/k3s-io/k3s/releases/download/$tag/k3s"
    download installer "https://raw.githubusercontent.com/k3s-io/k3s/$tag/install.sh"
    install -D -m 755 "$scratch/k3s" "$ROOT/usr/local/bin/k3s"
    install -D -m 755 "$scratch/installer" "$ROOT/usr/local/lib/autoscale/install-k3s.sh"
else
    for program in "${wanted[@]}"; do
        download "$program" "https://dl.k8s.io/release/$KUBERNETES/bin/linux/amd64/$program"
    done
    for program in "${wanted[@]}"; do
        install -D -m 755 "$scratch/$program" "$ROOT/usr/local/bin/$program"
    done
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q install -y --no-install-recommends containerd containernetworking-plugins conntrack ethtool iptables socat
    mkdir -p "$ROOT/etc/containerd" "$ROOT/opt/cni/bin" "$ROOT/etc/modules-load.d" "$ROOT/etc/sysctl.d"
    containerd config default | sed 's/SystemdCgroup = false/SystemdCgroup = true/' >"$ROOT/etc/containerd/config.toml"
    grep -q 'SystemdCgroup = true' "$ROOT/etc/containerd/config.toml" || fail "containerd cannot be told to use the cgroups of systemd"
    for plugin in "$ROOT"/usr/lib/cni/*; do
        [[ -x $plugin ]] || fail "there are no network plugins"
        ln -sf "/usr/lib/cni/${plugin##*/}" "$ROOT/opt/cni/bin/"
    done
    printf 'overlay\nbr_netfilter\n' >"$ROOT/etc/modules-load.d/kubernetes.conf"
    printf 'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n' >"$ROOT/etc/sysctl.d/90-kubernetes.conf"
    # It starts again and again until kubeadm has written what it starts from.
    cat >"$scratch/kubelet.service" <<'UNIT'
[Unit]
Description=kubelet
Wants=network-online.target
After=network-online.target containerd.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
    install -D -m 644 "$scratch/kubelet.service" "$ROOT/etc/systemd/system/kubelet.service"
    systemctl enable containerd kubelet
fi
install -D -m 755 "$JOIN" "$ROOT/usr/local/lib/autoscale/join.sh"
for tool in python3 curl sha256sum systemctl timeout; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done
