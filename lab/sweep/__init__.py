# SPDX-License-Identifier: MIT
"""Sweeps: a grid of strategies, traces, seeds, heap sizes, hardening levels and locks, job by job.

A sweep lives in a directory. All that a job needs is in there, under names that are hashes:
programs, traces, and the job itself, whose name is the hash of what it depends on. A job's
result is a file of that name, which appears when it is complete, and never changes. So nothing
needs to remember what is done: whoever finds no result may make it, on any machine that sees the
directory, and whatever is killed leaves nothing behind but work to do. From the bottom up:

- `store`: the directory; `job`: one job, and what it answers;
- `node`: whether a machine counts as others do; `worker`: the process that does jobs;
- `work`: which jobs are to be done, and which failed; `local`, `slurm`: who has them done;
- `grid`, `plan`: what was asked for, and the jobs that are made of it;
- `merge`: the results put together; `tables`, `chart`, `page`: shown;
- `command`, `options`: `heaplab sweep`.
"""
