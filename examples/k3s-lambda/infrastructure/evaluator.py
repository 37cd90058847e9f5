"""Evaluates IAM policy documents: explicit deny, then allow, else implicit deny; the operators that the template uses.

Written from the published rules of policy evaluation. It is not AWS's simulator, and an operator that it does not know is an
error rather than a guess.
"""
import re


def listed(value):
    return value if isinstance(value, list) else [value]


def matches(pattern, text, fold=False):
    """`*` and `?`, nothing else is special."""
    expression = "".join(".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None


def number(text):
    return float(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", str(text)) else None


def arn(pattern, text):
    parts, values = pattern.split(":", 5), text.split(":", 5)
    return len(parts) == len(values) == 6 and all(map(matches, parts, values))


def compared(test):
    return lambda wanted, value: number(value) is not None and test(number(value), number(wanted))


OPERATORS = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": matches,
    "NumericEquals": compared(lambda value, wanted: value == wanted),
    "NumericLessThan": compared(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": compared(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": compared(lambda value, wanted: value > wanted),
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "ArnEquals": arn,
    "ArnLike": arn,
}
NEGATED = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike", "ArnNotEquals": "ArnEquals"}


def holds(operator, key, wanted, context):
    """One key of a condition. Keys are compared without case; a key that is not there makes a positive operator fail."""
    values = next((listed(value) for name, value in context.items() if name.lower() == key.lower()), None)
    wanted = [str(value) for value in listed(wanted)]
    if operator == "Null":
        return (values is None) == (wanted == ["true"])
    over, _, plain = operator.rpartition(":")
    if_exists = plain.endswith("IfExists")
    plain = plain.removesuffix("IfExists")
    negated = plain in NEGATED
    test = OPERATORS[NEGATED.get(plain, plain)]
    one = lambda value: any(test(want, str(value)) for want in wanted) != negated
    if over == "ForAllValues":
        return all(one(value) for value in values or [])
    if over == "ForAnyValue":
        return any(one(value) for value in values or [])
    assert not over, operator
    if values is None:
        return if_exists or negated
    assert len(values) == 1, f"{key} has several values: expected ForAllValues or ForAnyValue"
    return one(values[0])


def applies(statement, action, resource, context):
    named = lambda patterns, text, fold: any(matches(pattern, text, fold) for pattern in listed(patterns))
    if "NotAction" in statement:
        acts = not named(statement["NotAction"], action, True)
    else:
        acts = named(statement["Action"], action, True)
    if "NotResource" in statement:
        fits = not named(statement["NotResource"], resource, False)
    else:
        fits = named(statement["Resource"], resource, False)
    conditions = statement.get("Condition", {})
    return acts and fits and all(
        holds(operator, key, wanted, context) for operator, keys in conditions.items() for key, wanted in keys.items())


def decide(statements, action, resource, context):
    """`Allow`, `Deny` (explicit) or `None` (implicit)."""
    effects = {statement["Effect"] for statement in listed(statements) if applies(statement, action, resource, context)}
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else None
