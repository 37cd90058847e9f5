"""What the function costs a month: `python3 cost.py` writes cost.md; with `--check` it only says whether cost.md has these numbers.

Calls are those that the tests count (`tests/process`), prices the list prices of us-east-1 in dollars; put in your own region's.
"""
import pathlib
import sys

HOURS, TICKS = 730, 730 * 30
# Of a quiet tick, as the test prints them. A record of five minutes is written anew: every third tick. An entry of the log: once an hour.
READS = 1  # GetItem of the record, consistent, up to 4 KB
WRITES = 1 / 3 + 1 / 30  # PutItem of the record (2 KB: two units), and of the log
QUERIES = 1 / 30  # the newest entry, before one is written
SECONDS, MEMORY = 0.4, 256 / 1024  # billed, with every call over a network: assumed, measure yours; GB as in template.yaml
EMF = 30  # metrics with their labels that CloudWatch is told of by default, for one pool
LOG_KB = 3  # a tick's lines

PRICE = {
    "invocation": 0.20e-6, "GB-second, arm64": 0.0000133334, "write unit": 0.625e-6, "read unit": 0.125e-6, "metric a month": 0.30,
    "GB of logs": 0.50, "alarm": 0.10, "endpoint and zone, an hour": 0.01, "NAT gateway, an hour": 0.045, "key": 1.00,
}
# t3.small, t3.medium and t3.large on demand, an hour.
SMALL, MEDIUM, LARGE = 0.0208, 0.0416, 0.0832
SPOT = 0.4  # of the price on demand: it varies by zone and hour


def lines():
    """What, how it comes about, dollars a month."""
    p = PRICE
    yield "invocations", f"{TICKS:,} a month", TICKS * p["invocation"]
    yield "their time", f"{SECONDS} s at {MEMORY:.2f} GB", TICKS * SECONDS * MEMORY * p["GB-second, arm64"]
    yield "reading the record", f"{READS} consistent read a tick", TICKS * READS * p["read unit"]
    yield "writing record and log", f"{WRITES:.2f} writes a tick, two units each", TICKS * WRITES * 2 * p["write unit"]
    yield "the log's newest entry", "a query an hour", TICKS * QUERIES * p["read unit"]
    yield "logs", f"{LOG_KB} KB a tick", TICKS * LOG_KB / 1e6 * p["GB of logs"]
    yield "metrics in CloudWatch", f"about {EMF}; `EMF_METRICS=none` where Prometheus has them", EMF * p["metric a month"]
    yield "alarms and the key", "five alarms, one key", 5 * p["alarm"] + p["key"]
    yield "endpoints for EC2 and SSM", "two, in two zones each", 4 * HOURS * p["endpoint and zone, an hour"]


def text():
    rows, total = list(lines()), sum(dollars for _, _, dollars in lines())
    function = sum(dollars for _, _, dollars in rows[:6])
    page = ["# What it costs", "",
            "Of one cluster, a month of 730 hours, a tick every two minutes, nothing to do: list prices of us-east-1 in dollars, without",
            "free tiers. Made by `cost.py` from the calls that `tests/process` counts; the duration of an invocation is an assumption.", "",
            "| what | how it comes about | a month |", "|---|---|---:|"]
    page += [f"| {what} | {how} | {dollars:.2f} |" for what, how, dollars in rows]
    page += [f"| **all of it** | | **{total:.2f}** |", "",
             f"The function and its tables cost {function:.2f}: what is paid for is how it reaches EC2 and Parameter Store from a network that leads",
             f"nowhere else, and numbers in CloudWatch. Where nodes have a NAT gateway anyway ({HOURS * PRICE['NAT gateway, an hour']:.2f}, not counted here),",
             "the function's subnets could use it instead of endpoints, at the price of an open way out.", "",
             "A time of action adds little: an order costs two writes of the record and an entry of the log, an invocation with a drain some",
             "ten seconds. A thousand orders a month:",
             f"{1000 * (3 * 2 * PRICE['write unit'] + 10 * MEMORY * PRICE['GB-second, arm64']):.2f}.", "",
             "## Beside other ways", "",
             "| way | a month |", "|---|---:|",
             f"| this function | {total:.2f} |",
             f"| two small machines that are always on for a controller (t3.small) | {2 * HOURS * SMALL:.2f} |",
             f"| two of the master's size (t3.medium) | {2 * HOURS * MEDIUM:.2f} |", "",
             "In a cluster whose nodes have room for two pods more the controller costs nothing of its own: then it is the cheaper one. The",
             "function is for clusters that come down to very few nodes, and for a scaler that does not share their fate.", "",
             "| workers (t3.large), as an example | a month |", "|---|---:|",
             f"| ten, always, on demand | {10 * HOURS * LARGE:.0f} |",
             f"| ten for eight hours of working days, else two, on demand | {(10 * 176 + 2 * (HOURS - 176)) * LARGE:.0f} |",
             f"| the same on spot, at {SPOT:.0%} of the price | {(10 * 176 + 2 * (HOURS - 176)) * LARGE * SPOT:.0f} |", "",
             "The master, its disk, NAT and traffic are there either way and left out.", ""]
    return "\n".join(page)


if __name__ == "__main__":
    place = pathlib.Path(__file__).with_name("cost.md")
    if sys.argv[1:] == ["--check"]:
        sys.exit("cost.md has other numbers: run cost.py" if place.read_text() != text() else 0)
    place.write_text(text())
