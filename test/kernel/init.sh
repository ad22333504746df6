#!/bin/busybox sh
# First program of the guest, inside the initramfs: makes the host's root the guest's root, read-only under an overlay
# on tmpfs, mounts what programs expect, and hands over to runner.sh.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in /modules/*; do
	case $m in
	*.xz) unxz "$m"; m=${m%.xz} ;;
	esac
	insmod "$m" || echo "picket-guest: cannot load $m"
done
option() { sed -n "s/.*picket\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
runner=$(option runner) modules=$(option modules) share=$(option share) checkout=$(option checkout) node=$(option node)

mount -t virtiofs -o ro root /host || echo "picket-guest: the host's root is not there"
mount -t tmpfs tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay root -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work /root || echo "picket-guest: no overlay"
mkdir -p /root/proc /root/sys /root/dev /root/run /root/tmp /root/lib/modules
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mount -t tmpfs tmpfs /root/run
# The host's root once more, plain: a lower layer for the overlays of containers (overlays stack only two deep).
mkdir /root/run/host
mount --move /host /root/run/host
mkdir -p "/root$share"
mount -t virtiofs share "/root$share" || echo "picket-guest: the share is not there"

mkdir -p /root/dev/pts /root/dev/shm /root/dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /root/dev/shm
mount -t mqueue mqueue /root/dev/mqueue
ln -sf /proc/self/fd /root/dev/fd
ln -sf /proc/self/fd/0 /root/dev/stdin
ln -sf /proc/self/fd/1 /root/dev/stdout
ln -sf /proc/self/fd/2 /root/dev/stderr
mount -t securityfs securityfs /root/sys/kernel/security
mount -t tracefs tracefs /root/sys/kernel/tracing
mount -t bpf bpf /root/sys/fs/bpf
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -o bind "/root/run/host$modules/lib/modules" /root/lib/modules

# A copy of the checkout on a disk, but for the Node that runs there.
if [ -n "$checkout" ]; then
	for disk in /root/sys/block/vd*; do
		[ "$(cat "$disk/serial")" = checkout ] && mount -t ext4 -o ro "/root/dev/${disk##*/}" "/root$checkout"
	done
	[ -z "$node" ] || mount -o bind "/root/run/host$checkout/$node" "/root$checkout/$node"
fi

hostname guest
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
exec switch_root /root /bin/sh "$runner" "$share"
