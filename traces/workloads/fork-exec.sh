# SPDX-License-Identifier: MIT
# Processes that fork, exec, talk through pipes and end, while a crowd of others waits: it comes
# first, stays for some rounds, and is then sent home in parts.
work() {
    for word in a b c; do
        echo "$word $1" | cat | grep -c "$word"
        (exec true)
    done
    ls -l / | sort | wc -l
    sh -c 'sh -c true & sh -c true; wait' &
    wait $!
}

crowd=""
round=0
while [ $round -lt 26 ]; do
    if [ $round -lt 10 ]; then
        for newcomer in 1 2 3 4 5 6 7; do
            sleep 1000 &
            crowd="$crowd $!"
        done
    fi
    if [ $round -ge 18 ]; then
        set -- $crowd
        kill $1 $2 $3 $4 $5 $6 $7
        shift 7
        crowd="$*"
    fi
    work $round
    round=$((round + 1))
done
kill $crowd
wait
