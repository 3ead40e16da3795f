# SPDX-License-Identifier: MIT
# Processes that fork, exec, talk through pipes and end; some at the same time.
round=0
while [ $round -lt 18 ]; do
    for word in a b c d; do
        echo "$word $round" | cat | grep -c "$word"
        ls -l / | sort | wc -l
        (exec true)
    done
    sleep 1 & sleep 0 & (sh -c 'sh -c true; sh -c true') &
    kill $! 2>/dev/null
    round=$((round + 1))
done
wait
