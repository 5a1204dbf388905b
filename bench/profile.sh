#!/bin/sh
# Where does the time go? Records a running daemon (or floor) with py-spy while the load runs against it.
#
#   bench/profile.sh accept|passthrough|flow|floor [CONNECTIONS [SECONDS]]
#
# Starts the processes of that scenario, drives them, and prints the heaviest functions: by their own time, and with what
# they call. The whole record (for speedscope or flamegraph.pl) stays in bench/results/. py-spy must be on the PATH.
set -eu
cd "$(dirname "$0")/.."
exec "${PYTHON:-python}" -m bench.profiling "$@"
