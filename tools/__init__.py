"""What people run on their own machine (CPython): station, run, typecheck, bench."""
