#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The suite on a kernel with KASAN and lockdep, whose log the host checks; where
# kmemleak is built in, memory that the module lost counts as a failed test.
leaks=/sys/kernel/debug/kmemleak
[ ! -w "$leaks" ] || echo clear >"$leaks"
out=$(mktemp)
./suite.py "$@" | tee "$out"
result=$(sed -n 's/^RESULT //p' "$out")
skipped=0
eval "$result"
if [ -w "$leaks" ]; then
	# kmemleak takes nothing younger than 5 s for lost, and needs two looks.
	for _ in 1 2; do
		sleep 6
		echo scan >"$leaks"
	done
	run=$((run + 1))
	if grep -q '\[eoip\]' "$leaks"; then
		echo "failed  kmemleak: the module lost memory"
		grep -B 12 -A 12 '\[eoip\]' "$leaks" | head -n 80
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
		echo "passed  kmemleak ($(grep -c 'unreferenced' "$leaks") objects of others)"
	fi
fi
echo "RESULT run=$run passed=$passed failed=$failed skipped=$skipped"
[ "$failed" = 0 ]
