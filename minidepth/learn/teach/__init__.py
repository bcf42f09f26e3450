"""For teachers: hand lessons out, grade what comes back, see what a class has misunderstood.

    minidepth teach release hw2 --lessons 4-6 --variant 2027a -o hw2.zip
    minidepth teach grade submissions --format csv --out grades.csv
    minidepth teach report submissions

Grading never imports a submission into the teacher's process: a process of its own reads and runs it, and sends back
values, which are compared here. What that process can and cannot do is written in learn/fence.py; in short, on Linux it
has no network, starts no other process, and sees no files but its own folder and the Python installation; on macOS and
Windows it is an ordinary process of yours with a limit on time (and on macOS on memory and the size of files).

What no isolation helps against: a check that lets a function of checks.py run beside the submission (``t.run``: for
classes and trainings) believes that process, which the submission can make say anything. Submissions that reach around
are told of under "notices", as far as reading them shows it; a teacher should look at those.
"""
