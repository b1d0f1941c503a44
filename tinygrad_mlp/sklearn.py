"""`MLPClassifier` and `MLPRegressor`: this package's networks and training as estimators of scikit-learn.

They follow scikit-learn's rules, so that they go into a ``Pipeline``, ``GridSearchCV`` or ``cross_val_score``. A
parameter that `sklearn.neural_network` has too is called as it is there.
"""

import warnings
from typing import Any, Self

import numpy as np

from tinygrad_mlp.errors import ArgumentError, MissingExtraError
from tinygrad_mlp.nn import MLP
from tinygrad_mlp.ops.activations import log_softmax, softmax
from tinygrad_mlp.ops.losses import cross_entropy, mse_loss
from tinygrad_mlp.optim import SGD, Adam, AdamW, Optimizer, schedules
from tinygrad_mlp.train import Callback, EarlyStopping, Progress, Trainer
from tinygrad_mlp.train.evaluation import predict
from tinygrad_mlp.validation import choose, whole_number

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtraError(
        "tinygrad_mlp.sklearn", expected="scikit-learn", got="none",
        fix="Install it with: pip install 'tinygrad-mlp[sklearn]'.",
    ) from error  # fmt: skip

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = np.ndarray[Any, Any]
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "gelu": "gelu"}
SOLVERS: dict[str, Any] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}


class _MLP(BaseEstimator):
    """What both estimators do."""

    _monitor: str  # the measure of the validation that early_stopping looks at

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 0.0001,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        clip_norm: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.clip_norm = clip_norm
        self.dropout = dropout

    def _loss(self, output: Any, targets: Any) -> Any:
        raise NotImplementedError

    def _begin(self, X: Array, outputs: int) -> None:
        """A network with new weights, and nothing learned."""
        self._rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        sizes = (X.shape[1], *np.atleast_1d(np.asarray(self.hidden_layer_sizes, int)).tolist(), outputs)
        activation = choose(ACTIVATIONS, self.activation, type(self).__name__, "activation")
        self.model_ = MLP(*sizes, activation=activation, dropout=self.dropout, rng=self._rng, dtype=X.dtype)
        self._optimizer_state: dict[str, Any] | None = None
        self.loss_curve_: list[float] = []
        self.n_iter_ = 0

    def _optimizer(self, batch_size: int, steps: int, *, anew: bool) -> Optimizer:
        """The optimizer, as it was when the last fit ended; "cosine" falls for so many steps, perhaps from here on."""
        kind = choose(SOLVERS, self.solver, type(self).__name__, "solver")
        lr: Any = self.learning_rate
        if not callable(lr):
            known = {"constant": self.learning_rate_init, "cosine": None}
            lr = choose(known, lr, type(self).__name__, "learning_rate")
            if lr is None:
                falling = schedules.cosine(self.learning_rate_init, steps)
                done = int(self._optimizer_state["step_count"]) if anew and self._optimizer_state else 0
                lr = lambda step: falling(step - done)  # noqa: E731
        # scikit-learn's penalty is alpha/2 ‖W‖² over the examples of a batch; AdamW's decay is none of the loss.
        decay = self.alpha if kind is AdamW else self.alpha / batch_size
        named = list(self.model_.named_parameters())
        groups = [
            {"params": [pair for pair in named if pair[0].endswith(".weight")], "weight_decay": decay},
            {"params": [pair for pair in named if pair[0].endswith(".bias")], "weight_decay": 0.0},
        ]
        settings: dict[str, Any] = {"betas": (self.beta_1, self.beta_2), "eps": self.epsilon}
        if kind is SGD:
            settings = {"momentum": self.momentum, "nesterov": self.nesterovs_momentum and self.momentum > 0}
        optimizer: Optimizer = kind(groups, lr, **settings)
        if self._optimizer_state is not None:
            optimizer.load_state_dict(self._optimizer_state)
        return optimizer

    def _train(self, X: Array, y: Array, epochs: int, *, stopping: bool) -> Self:
        """So many epochs, or fewer where ``stopping`` and nothing gets better."""
        validation = None
        if stopping and self.early_stopping:
            seed = int(self._rng.integers(2**31))
            X, held_x, y, held_y = train_test_split(
                X, y, test_size=self.validation_fraction, random_state=seed,
                stratify=y if isinstance(self, ClassifierMixin) else None,
            )  # fmt: skip
            validation = (held_x, held_y)
        size = min(200, len(X)) if self.batch_size == "auto" else self.batch_size
        size = min(whole_number(type(self).__name__, "batch_size", size, least=1), len(X))
        optimizer = self._optimizer(size, self.max_iter * -(-len(X) // size), anew=stopping)
        callbacks: list[Callback] = [Progress()] if self.verbose else []
        if stopping:
            monitor = self._monitor if self.early_stopping else "train_loss"
            callbacks.append(EarlyStopping(monitor, patience=self.n_iter_no_change, min_delta=self.tol))
        trainer = Trainer(self.model_, optimizer, self._loss, clip_norm=self.clip_norm, callbacks=callbacks)
        history = trainer.fit((X, y), validation, epochs, size, self._rng)
        self.loss_curve_ += history.column("train_loss")
        if validation is not None:
            self.validation_scores_ = history.column(self._monitor)
        self.loss_ = self.loss_curve_[-1]
        self.n_iter_ += len(history)
        self._optimizer_state = optimizer.state_dict()
        if stopping and len(history) == epochs:
            warnings.warn(
                f"The loss still fell after max_iter={epochs} epochs; more of them may fit better.",
                ConvergenceWarning, stacklevel=3,
            )  # fmt: skip
        return self

    def _fit(self, X: Array, y: Array, outputs: int) -> Self:
        epochs = whole_number(type(self).__name__, "max_iter", self.max_iter, least=1)
        if not (self.warm_start and hasattr(self, "model_")):
            self._begin(X, outputs)
        self._check_sizes(X, outputs)
        return self._train(X, y, epochs, stopping=True)

    def _check_sizes(self, X: Array, outputs: int) -> None:
        fitted = (self.model_.sizes[0], self.model_.sizes[-1])
        if fitted != (X.shape[1], outputs):
            raise ArgumentError(
                type(self).__name__, expected=f"{fitted[0]} features and {fitted[1]} outputs, as in the first fit",
                got=f"{X.shape[1]} and {outputs}", fix="Set warm_start=False to begin anew.",
            )  # fmt: skip

    def _output(self, X: Any) -> Array:
        check_is_fitted(self)
        dtype = next(self.model_.parameters()).dtype
        return predict(self.model_, validate_data(self, X, dtype=dtype, reset=False))


class MLPClassifier(ClassifierMixin, _MLP):
    """A multi-layer perceptron that learns classes, by cross-entropy.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : {"relu", "tanh", "logistic", "gelu"}
    solver : {"adam", "adamw", "sgd"}
    alpha : float
        Weight of the penalty alpha/2 ‖W‖², divided by the batch size as scikit-learn does; for "adamw", the decay λ.
    batch_size : int or "auto"
        "auto" is 200, or all examples where they are fewer.
    learning_rate : {"constant", "cosine"} or schedule
        "cosine" falls to 0 in ``max_iter`` epochs of a fit, or calls of `partial_fit`; a schedule is a function of the
        step, see `tinygrad_mlp.optim.schedules`.
    learning_rate_init : float
    max_iter : int
        Number of epochs at most.
    random_state : int, RandomState or None
    tol, n_iter_no_change : float, int
        Training ends after so many epochs in which the loss, or with ``early_stopping`` the measure of the held out
        examples, got better by no more than ``tol``. The weights of the best epoch are kept.
    verbose : bool
        Print a line per epoch.
    warm_start : bool
        Let `fit` go on from the last fit.
    momentum, nesterovs_momentum : float, bool
        Of "sgd".
    early_stopping, validation_fraction : bool, float
        Hold out this share of the examples, and look at the accuracy on them.
    beta_1, beta_2, epsilon : float
        Of "adam" and "adamw".
    clip_norm : float, optional
        Scale the gradients of each step down to this global norm.
    dropout : float
        Probability with which a hidden unit is dropped in training.
    label_smoothing : float
        See `tinygrad_mlp.cross_entropy`.

    Attributes
    ----------
    model_ : tinygrad_mlp.nn.MLP
    classes_ : ndarray
    loss_curve_ : list of float
        Mean loss of each epoch, without the penalty.
    loss_, n_iter_, n_features_in_, validation_scores_
        As scikit-learn's.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = np.where(X[:, 0] > X[:, 1], "right", "left")
    >>> model = MLPClassifier(16, learning_rate_init=0.05, max_iter=300, random_state=0).fit(X, y)
    >>> model.predict([[2.0, -2.0], [-2.0, 2.0]])
    array(['right', 'left'], dtype='<U5')
    >>> model.score(X, y) > 0.97
    True
    """

    _monitor = "val_accuracy"

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 0.0001,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        clip_norm: float | None = None,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            hidden_layer_sizes, activation, solver=solver, alpha=alpha, batch_size=batch_size,
            learning_rate=learning_rate, learning_rate_init=learning_rate_init, max_iter=max_iter,
            random_state=random_state, tol=tol, verbose=verbose, warm_start=warm_start, momentum=momentum,
            nesterovs_momentum=nesterovs_momentum, early_stopping=early_stopping,
            validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            n_iter_no_change=n_iter_no_change, clip_norm=clip_norm, dropout=dropout,
        )  # fmt: skip
        self.label_smoothing = label_smoothing

    def _loss(self, output: Any, targets: Any) -> Any:
        return cross_entropy(output, targets, label_smoothing=self.label_smoothing)

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), reset=reset)
        check_classification_targets(y)
        return X, column_or_1d(y)

    def _places(self, y: Array) -> Array:
        """The place of each label in ``classes_``."""
        if unknown := sorted(set(np.unique(y).tolist()) - set(self.classes_.tolist())):
            raise ArgumentError(
                type(self).__name__, expected=f"the classes {self.classes_.tolist()}", got=repr(unknown)
            )
        places: Array = np.searchsorted(self.classes_, y)
        return places

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the classes ``y``, shape (N,), of the rows of ``X``, shape (N, features)."""
        X, y = self._validated(X, y, reset=not (self.warm_start and hasattr(self, "model_")))
        if not (self.warm_start and hasattr(self, "model_")):
            self.classes_ = np.unique(y)
        return self._fit(X, self._places(y), len(self.classes_))

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """One epoch over the examples given. The first call says all ``classes`` where ``y`` lacks some."""
        begun = hasattr(self, "model_")
        X, y = self._validated(X, y, reset=not begun)
        if not begun:
            self.classes_ = np.unique(y if classes is None else classes)
        places = self._places(y)
        if not begun:
            self._begin(X, len(self.classes_))
        return self._train(X, places, 1, stopping=False)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row."""
        best = self._output(X).argmax(axis=1)  # which raises where nothing is fitted
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, shape (N, classes), in the order of ``classes_``."""
        return np.asarray(softmax(self._output(X)))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`, without its rounding to 0."""
        return np.asarray(log_softmax(self._output(X)))


class MLPRegressor(RegressorMixin, _MLP):
    """A multi-layer perceptron that learns numbers, by mean squared error.

    Parameters
    ----------
    hidden_layer_sizes, …, dropout
        As for `MLPClassifier`, but that ``early_stopping`` looks at the loss of the held out examples.

    Attributes
    ----------
    model_, loss_curve_, loss_, n_iter_, n_features_in_, validation_scores_
        As for `MLPClassifier`.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = MLPRegressor(32, learning_rate_init=0.01, max_iter=300, random_state=0).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.99
    True
    """

    _monitor = "val_loss"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _loss(self, output: Any, targets: Any) -> Any:
        return mse_loss(output, targets)

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._flat = y.ndim == 1
        return X, np.asarray(y, X.dtype).reshape(len(y), -1)

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the numbers ``y``, shape (N,) or (N, outputs), of the rows of ``X``, shape (N, features)."""
        X, y = self._validated(X, y, reset=not (self.warm_start and hasattr(self, "model_")))
        return self._fit(X, y, y.shape[1])

    def partial_fit(self, X: Any, y: Any) -> Self:
        """One epoch over the examples given."""
        begun = hasattr(self, "model_")
        X, y = self._validated(X, y, reset=not begun)
        if not begun:
            self._begin(X, y.shape[1])
        self._check_sizes(X, y.shape[1])
        return self._train(X, y, 1, stopping=False)

    def predict(self, X: Any) -> Array:
        """The number, or the outputs, of each row: of the shape of ``y`` in `fit`."""
        output = self._output(X)
        return output[:, 0] if self._flat else output
