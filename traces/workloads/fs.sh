# SPDX-License-Identifier: MIT
# Files that are made, read, renamed and removed, on the disk's ext4 and in memory.
for place in /mnt/work /tmp/work; do
    mkdir -p $place
    for directory in a b c d e f g h i j k l; do
        mkdir $place/$directory
        file=0
        while [ $file -lt 70 ]; do
            echo "$directory $file" > $place/$directory/$file
            file=$((file + 1))
        done
        cp $place/$directory/1 $place/$directory/copy
        for file in 2 3 4 5 6 7 8 9; do
            mv $place/$directory/$file $place/$directory/old.$file
        done
    done
    find $place -type f | xargs cat | wc -l
    rm -r $place
    sync
done
