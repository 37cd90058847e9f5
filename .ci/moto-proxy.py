"""moto behind what it lacks: one request at a time, a ClientToken that means something, and Fn::Cidr in templates.

    moto-proxy.py PORT

moto runs a new machine for every RunInstances, whatever its token. Here the first answer of a token is kept: the same token
with the same parameters gets it again, with others IdempotentParameterMismatch, and after its machine was terminated
IdempotentInstanceTerminated, as EC2 does it. POST /moto-api/reset empties both.
"""

import io
import ipaddress
import re
import sys
import threading
from urllib.parse import parse_qs

from moto.cloudformation import parsing
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

moto = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()
tokens = {}
terminated = set()

plain_json = parsing.clean_json


def clean_json(given, resources):
    """What a value of a template comes to; moto knows no Fn::Cidr, and takes the zones of another region."""
    if given == {"Fn::GetAZs": ""}:
        given = {"Fn::GetAZs": resources["AWS::Region"]}
    if not (isinstance(given, dict) and "Fn::Cidr" in given):
        return plain_json(given, resources)
    block, count, bits = (clean_json(part, resources) for part in given["Fn::Cidr"])
    network = ipaddress.ip_network(block)
    subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
    return [str(subnet) for subnet, _ in zip(subnets, range(int(count)))]


parsing.clean_json = clean_json


def refused(start, code, message):
    body = (
        "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors>"
        "<RequestID>proxy</RequestID></Response>" % (code, message)
    )
    start("400 BAD REQUEST", [("Content-Type", "text/xml")])
    return [body.encode()]


def carried_out(environ):
    """The answer of moto: status, headers, body."""
    got = {}

    def start(status, headers, exc_info=None):
        got["status"], got["headers"] = status, headers

    return got, b"".join(moto(environ, start))


def answer(environ, start):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    if environ["PATH_INFO"] == "/moto-api/reset":
        tokens.clear()
        terminated.clear()
    form = parse_qs(body.decode("utf-8", "replace")) if body.startswith(b"Action=") else {}
    action = form.get("Action", [""])[0]
    token = form.get("ClientToken", [""])[0]
    dry = form.get("DryRun", ["false"])[0] == "true"
    is_run = action == "RunInstances" and token and not dry
    if is_run and token in tokens:
        asked, instance, kept = tokens[token]
        if asked != form:
            return refused(start, "IdempotentParameterMismatch", "The token was used with other parameters")
        if instance in terminated:
            return refused(start, "IdempotentInstanceTerminated", "The instance of the token is terminated")
        start(*kept[:2])
        return [kept[2]]
    got, data = carried_out(environ)
    ok = got["status"].startswith("200")
    if is_run and ok:
        instance = re.search(rb"<instanceId>(i-[0-9a-f]+)</instanceId>", data).group(1).decode()
        tokens[token] = (form, instance, (got["status"], got["headers"], data))
    if action == "TerminateInstances" and ok and not dry:
        terminated.update(form.get("InstanceId.1", []))
    start(got["status"], got["headers"])
    return [data]


def one_at_a_time(environ, start):
    with lock:
        return answer(environ, start)


run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True, use_reloader=False)
