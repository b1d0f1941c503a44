"""The estimators follow scikit-learn's rules, by its own checks, and work where its users put them."""

import doctest
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

extras = pytest.mark.extras


def data(n=300):
    x = np.random.default_rng(0).normal(size=(n, 3))
    return x, np.where(x[:, 0] > x[:, 1], "right", "left")


@extras
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_scikit_learns_own_checks_pass(name):
    """All of them; those for arrays of other libraries are skipped by scikit-learn where SCIPY_ARRAY_API is not set."""
    from sklearn.utils.estimator_checks import check_estimator

    import tinygrad_mlp.sklearn as estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke them
        results = check_estimator(getattr(estimators, name)(), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}.keys() <= {
        "check_array_api_input"
    }


@extras
def test_they_work_where_scikit_learns_users_put_them():
    """In a pipeline and a search, cloned, pickled, and fed from pandas."""
    import pandas as pd
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tinygrad_mlp.sklearn import MLPClassifier

    x, y = data()
    x = pd.DataFrame(x, columns=["a", "b", "c"])
    model = MLPClassifier(8, learning_rate_init=0.05, max_iter=60, tol=0.01, n_iter_no_change=5, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), model), {"mlpclassifier__solver": ["adam", "adamw", "sgd"]})
    assert search.fit(x, y).best_score_ > 0.9
    assert cross_val_score(clone(model), x, y).mean() > 0.9
    model.fit(x, y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(x)), model.predict_proba(x), rtol=1e-12)
    assert len(model.loss_curve_) == model.n_iter_ < 60
    assert model.loss_ == model.loss_curve_[-1]


@extras
def test_training_goes_on_where_it_stopped():
    """Two epochs of partial_fit are two of fit, bit for bit, also through a pickle between them; warm_start goes on."""
    from tinygrad_mlp.sklearn import MLPClassifier

    x, y = data()
    with pytest.warns(match="max_iter=2"):
        whole = MLPClassifier(8, max_iter=2, random_state=0).fit(x, y)
    parts = MLPClassifier(8, random_state=0).partial_fit(x, y, classes=["left", "right"])
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(x, y)  # noqa: S301 - our own
    assert parts.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(parts.predict_proba(x), whole.predict_proba(x))
    with pytest.raises(ValueError, match=r"expected the classes \['left', 'right'\], got \['up'\]"):
        parts.partial_fit(x, np.full(len(x), "up"))
    with pytest.warns(match="max_iter=2"):
        whole.set_params(warm_start=True).fit(x, y)
    assert len(whole.loss_curve_) == whole.n_iter_ == 4
    assert whole.loss_ < parts.loss_


@extras
@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_a_falling_learning_rate_does_not_stay_at_zero():
    """Each fit of a warm start begins anew; calls of partial_fit share one fall."""
    from tinygrad_mlp.sklearn import MLPClassifier

    x, y = data()
    model = MLPClassifier(8, learning_rate="cosine", max_iter=3, warm_start=True, random_state=0).fit(x, y)
    before = model.predict_proba(x)
    assert not np.array_equal(model.fit(x, y).predict_proba(x), before)
    parts = MLPClassifier(8, learning_rate="cosine", max_iter=3, random_state=0)
    for _ in range(3):
        parts.partial_fit(x, y)
    assert parts.loss_curve_ == model.loss_curve_[:3]


@extras
def test_what_this_package_adds_is_used():
    """Each setting changes what is learned; early stopping scores the examples held out."""
    from tinygrad_mlp import optim
    from tinygrad_mlp.sklearn import MLPClassifier, MLPRegressor

    x, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_iter is meant

        def learned(**settings):
            return MLPClassifier(8, max_iter=3, random_state=0, **settings).fit(x, y).predict_proba(x)

        plain = learned()
        added = (
            {"solver": "adamw", "alpha": 0.1}, {"learning_rate": "cosine"}, {"clip_norm": 0.01}, {"dropout": 0.5},
            {"label_smoothing": 0.2}, {"activation": "gelu"}, {"learning_rate": optim.schedules.constant(0.1)},
            {"alpha": 10.0}, {"solver": "sgd"},
        )  # fmt: skip
        for settings in added:
            assert not np.array_equal(learned(**settings), plain), settings
        stopped = MLPRegressor(8, early_stopping=True, max_iter=5, random_state=0).fit(x, x[:, :2])
        assert len(stopped.validation_scores_) == 5
        assert stopped.predict(x).shape == (300, 2)
    with pytest.raises(ValueError, match="expected solver 'adam', 'adamw', 'sgd', got 'lbfgs'"):
        MLPClassifier(solver="lbfgs").fit(x, y)
    with pytest.raises(ValueError, match="expected learning_rate 'constant', 'cosine', got 'adaptive'"):
        MLPClassifier(learning_rate="adaptive").fit(x, y)


@extras
def test_the_examples_in_the_documentation_run():
    import tinygrad_mlp.sklearn as estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert doctest.testmod(estimators).failed == 0


def test_without_scikit_learn_the_error_names_the_extra():
    script = "import sys; sys.modules['sklearn'] = None\nimport tinygrad_mlp.sklearn"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.endswith(
        "tinygrad_mlp.sklearn: expected scikit-learn, got none. Install it with: pip install 'tinygrad-mlp[sklearn]'.\n"
    )
