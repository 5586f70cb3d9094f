#!/usr/bin/env python3
"""Trains scikit-learn's HistGradientBoosting with its defaults (Debian's python3-sklearn and python3-pandas) on a table, every fifth row of
which is test, and prints its figures as JSON: trees.py TABLE.csv LABEL binary|multiclass|regression

Categories are given as such and as 0/1 columns; the better of both by the first measure of the test rows counts, which favours it a little.
"""
import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"  # set before NumPy is loaded: its threads would be counted while they wait
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import sklearn  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # noqa: E402
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, mean_squared_error, roc_auc_score  # noqa: E402
from sklearn.preprocessing import OrdinalEncoder  # noqa: E402


def native(features, is_test):
    texts = features.select_dtypes(exclude="number").columns
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    numbers = features.copy()
    if len(texts) > 0:
        encoder.fit(features.loc[~is_test, texts])
        numbers[texts] = encoder.transform(features[texts])
    return numbers.astype(float), [column in texts for column in features.columns]


def one_hot(features, _):
    return pd.get_dummies(features, dummy_na=False).astype(float), None


def measure(features, label, task, is_test, encode):
    numbers, categories = encode(features, is_test)
    model = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    model = model(categorical_features=categories, random_state=0)
    start = time.process_time()
    model.fit(numbers[~is_test], label[~is_test])
    seconds = time.process_time() - start
    right = label[is_test]
    if task == "regression":
        predicted = model.predict(numbers[is_test])
        first, second = mean_squared_error(right, predicted) ** 0.5, mean_absolute_error(right, predicted)
    else:
        predicted = model.predict_proba(numbers[is_test])
        second = log_loss(right, predicted, labels=model.classes_)
        if task == "binary":
            first = roc_auc_score(right == model.classes_[1], predicted[:, 1])
        else:
            first = accuracy_score(right, model.classes_[predicted.argmax(axis=1)])
    return {"first": first, "second": second, "cpuSeconds": seconds, "categories": encode.__name__}


def main():
    path, label, task = sys.argv[1:]
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    is_test = np.arange(len(table)) % 5 == 0
    features = table.drop(columns=label)
    results = [measure(features, table[label], task, is_test, encode) for encode in (native, one_hot)]
    best = (min if task == "regression" else max)(results, key=lambda result: result["first"])
    json.dump({"peer": f"scikit-learn {sklearn.__version__}", **best}, sys.stdout)


if __name__ == "__main__":
    main()
