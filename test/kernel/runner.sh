# Process 1 of the guest: runs the jobs that the host asks for. $1 is the share, a folder that both sides see.
#
# Lines from the host on the virtio port:  run ID | kill ID
# Lines to the host:                       ready RELEASE | done ID STATUS
# Job ID lives in $1/ID: script, stdin are the host's; stdout, stderr, leader are ours.
share=$1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
job() {
	cd / || exit
	setsid sh -c 'echo $$ >"$1/leader"; exec sh "$1/script"' job "$share/$1" \
		3>&- <"$share/$1/stdin" >>"$share/$1/stdout" 2>>"$share/$1/stderr"
	echo "done $1 $?" >&3
}
serve() {
	exec 3<>"$(echo /dev/vport*p1)"
	echo "ready $(uname -r)" >&3
	while read -r verb id <&3; do
		case $verb in
		run) job "$id" & ;;
		kill) kill -s KILL -- "-$(cat "$share/$id/leader")" ;;
		esac
	done
}
serve &
# The shell reaps whatever is orphaned while it waits.
while :; do wait; sleep 1; done
