# SPDX-License-Identifier: MIT
# Files that are made, read, renamed and removed, on the disk's ext4 and in memory.
for place in /mnt/work /tmp/work; do
    mkdir -p $place
    round=0
    while [ $round -lt 25 ]; do
        for name in a b c d e f; do
            mkdir -p $place/$name.$round
            echo "$name $round" > $place/$name.$round/file
            cp $place/$name.$round/file $place/$name.$round/copy
        done
        round=$((round + 1))
    done
    find $place -name copy | while read -r file; do mv "$file" "$file.old"; done
    cat $(find $place -name file) | wc -l
    rm -r $place
    sync
done
