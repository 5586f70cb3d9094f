#!/usr/bin/env bash
# Training and scoring on two hosts that are network namespaces of this machine, with Open MPI over TCP between them; then a rank is killed,
# and the link is cut: scripts/ranks/two-hosts.sh [TOOL]. As root, with ip (iproute2) and Open MPI. Prints what it found; 0 = all as it should.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
tool=${1:-$PWD/src/Cli/bin/Release/net10.0/mlnetbn}
table=$PWD/sample-data/churn.csv
work=$(mktemp -d)
failed=0
clean() {
  ip netns pids mlnetbn2 2>/dev/null | xargs -r kill -9 2>/dev/null
  ip netns pids mlnetbn1 2>/dev/null | xargs -r kill -9 2>/dev/null
  ip netns del mlnetbn1 2>/dev/null
  ip netns del mlnetbn2 2>/dev/null
  rm -rf "$work"
}
trap clean EXIT
check() { if eval "$2"; then echo "ok: $1"; else echo "FAILED: $1"; failed=1; fi; }

for i in 1 2; do
  ip netns add mlnetbn$i && ip -n mlnetbn$i link set lo up || { echo "no network namespaces here"; exit 1; }
done
ip link add mlnetbn-a netns mlnetbn1 type veth peer name mlnetbn-b netns mlnetbn2
ip -n mlnetbn1 addr add 10.77.0.1/24 dev mlnetbn-a
ip -n mlnetbn2 addr add 10.77.0.2/24 dev mlnetbn-b
ip -n mlnetbn1 link set mlnetbn-a up
ip -n mlnetbn2 link set mlnetbn-b up

# What stands for ssh: the second host has a name and a network of its own.
cat >"$work/agent" <<'AGENT'
#!/bin/sh
shift
exec ip netns exec mlnetbn2 unshare --uts sh -c "hostname mlnetbn2; $*"
AGENT
chmod +x "$work/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 TERM=dumb
run() {
  ip netns exec mlnetbn1 unshare --uts sh -c 'hostname mlnetbn1; exec "$@"' sh \
    mpirun.openmpi --quiet -n 2 -H 10.77.0.1:1,10.77.0.2:1 --mca plm_rsh_agent "$work/agent" --mca btl tcp,self \
    --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 --mca mpi_yield_when_idle 1 \
    --mca oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 "$@"
}
ranks_of_host2() { ip netns pids mlnetbn2 | while read -r pid; do grep -qs "$1" "/proc/$pid/cmdline" && ! grep -qs orted "/proc/$pid/cmdline" && echo "$pid"; done; }
train() { run "$tool" train "$table" --label churn --out "$work/$1" --epochs "$2" --threads 1 --resume >"$work/$1.txt" 2>&1; }
wait_for() { for _ in $(seq 600); do grep -qs "$2" "$1" && return 0; sleep 0.1; done; return 1; }

train whole 4
check "two hosts train" '[ -f "$work/whole/model.onnx" ]'
sent=$(ip netns exec mlnetbn1 cat /sys/class/net/mlnetbn-a/statistics/tx_bytes)
check "over the link between them ($sent bytes)" '[ "$sent" -gt 1000000 ]'

"$tool" score "$work/whole/model.onnx" "$table" --out "$work/expected/" --part-rows 500 2>/dev/null
run "$tool" score "$work/whole/model.onnx" "$table" --out "$work/parts/" --part-rows 500 >"$work/score.txt" 2>&1
check "two hosts score the same parts ($(tail -1 "$work/score.txt"))" 'diff -r -x parts.json "$work/expected" "$work/parts" >/dev/null'

train killed 200 &
trained=$!
wait_for "$work/killed.txt" "epoch   2/200"
start=$(date +%s)
ranks_of_host2 mlnetbn | xargs -r kill -9
wait $trained
code=$?
took=$(($(date +%s) - start))
check "a killed rank ends all, within $took s, exit code $code" '[ "$code" != 0 ] && [ "$took" -le 10 ]'
check "the checkpoint is in place" '[ -f "$work/killed/training.checkpoint" ]'
grep -a "mlnetbn:\|noticed" "$work/killed.txt" | head -3

# Another number of epochs is another training: what goes on is the same command, stopped again.
(train killed 200) &
trained=$!
wait_for "$work/killed.txt" "going on from"
check "the same command goes on" 'wait_for "$work/killed.txt" "^epoch"'
start=$(date +%s)
ip -n mlnetbn1 link set mlnetbn-a down
for _ in $(seq 300); do kill -0 $trained 2>/dev/null || break; sleep 0.1; done
took=$(($(date +%s) - start))
kill -0 $trained 2>/dev/null && ended=no || ended=yes
check "a cut link ends all, within $took s" '[ $ended = yes ] && [ "$took" -le 10 ]'
check "and leaves the checkpoint" '[ -f "$work/killed/training.checkpoint" ]'
grep -a "mlnetbn:" "$work/killed.txt" | head -3
exit $failed
