"""What a command said, in lines."""


def failure(result, status):
    """The one line on standard error of a command that failed with this status."""
    assert result[0] == status
    assert len(result[2]) == 1
    return result[2][0]
