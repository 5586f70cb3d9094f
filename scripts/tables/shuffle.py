#!/usr/bin/env python3
"""Shuffles the rows of CSV files, always in the same way: shuffle.py FOLDER TARGET"""
import csv
import pathlib
import sys

import numpy

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")):
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with (pathlib.Path(sys.argv[2]) / path.name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows[i] for i in numpy.random.default_rng(12345).permutation(len(rows)))
