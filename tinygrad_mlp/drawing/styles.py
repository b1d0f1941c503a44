"""What the pictures look like. A style is one constant here, and one golden DOT file in the tests.

One font face is named, whose widths every renderer knows. Colours say nothing that a word, a shape or a line style
does not say too; within a theme each role has a colour of its own, which the HTML page relies on to switch themes.
"""

from dataclasses import dataclass

FONT = "Helvetica"
FONT_SIZE = 11
SMALL = 9

# Beyond this many boxes nobody reads labels on edges, and graphviz needs minutes to place them.
LABELLED_EDGES = 120


@dataclass(frozen=True)
class Theme:
    """Colours by role; ``shades`` colour a gradient by the logarithm of its norm, from small to large."""

    background: str
    text: str
    muted: str
    line: str
    data: str
    data_line: str
    parameter: str
    parameter_line: str
    frozen: str
    op: str
    op_line: str
    output: str
    output_line: str
    module: str
    module_line: str
    trouble: str
    trouble_line: str
    warning: str
    warning_line: str
    shades: tuple[str, ...]


THEMES = {
    "light": Theme(
        background="#fefefe", text="#1b1f24", muted="#4d5560", line="#5b6470",
        data="#e9ebee", data_line="#8a929c",
        parameter="#dbe9ff", parameter_line="#3566b0", frozen="#eef1f6",
        op="#fff3bf", op_line="#8f6f00",
        output="#d3f2d6", output_line="#2c7a37",
        module="#f5f7fa", module_line="#a3acb8",
        trouble="#ffd5d3", trouble_line="#c0161d",
        warning="#ffe0b0", warning_line="#a85a00",
        shades=("#f0f6fe", "#dcebfd", "#c6dffb", "#aed1f8", "#94c2f5", "#79b2f0"),
    ),
    "dark": Theme(
        background="#14181d", text="#eceff3", muted="#b4bcc7", line="#98a2af",
        data="#343a42", data_line="#8b95a2",
        parameter="#1f3557", parameter_line="#78a9f5", frozen="#262d38",
        op="#4a3f10", op_line="#dcb93c",
        output="#1c4425", output_line="#63c174",
        module="#1b2128", module_line="#5a6572",
        trouble="#5c1a1e", trouble_line="#ff7b7b",
        warning="#573a0e", warning_line="#f2a541",
        shades=("#1d2939", "#20334d", "#244064", "#284e7d", "#2d5c97", "#336bb2"),
    ),
    "print": Theme(
        background="#ffffff", text="#000000", muted="#202020", line="#303030",
        data="#f0f0f0", data_line="#606060",
        parameter="#ffffff", parameter_line="#000000", frozen="#ffffff",
        op="#ffffff", op_line="#000000",
        output="#e4e4e4", output_line="#000000",
        module="#ffffff", module_line="#909090",
        trouble="#ffffff", trouble_line="#000000",
        warning="#ffffff", warning_line="#000000",
        shades=("#ffffff", "#f6f6f6", "#eeeeee", "#e6e6e6", "#dedede", "#d6d6d6"),
    ),
}  # fmt: skip
