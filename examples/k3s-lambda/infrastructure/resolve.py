"""Reads template.yaml and resolves what CloudFormation would, with made-up ids."""
import base64
import ipaddress
import itertools
import pathlib
import re

import yaml

PLACE = pathlib.Path(__file__).with_name("template.yaml")
ACCOUNT, REGION = "111122223333", "eu-central-1"
GIVEN = {"Cluster": "shop", "Image": "ami-0123456789abcdef0", "K3sBinary": "https://example.org/k3s", "K3sBinarySha256": "0" * 64,
         "K3sInstaller": "https://example.org/install.sh", "K3sInstallerSha256": "1" * 64, "CodeBucket": "code", "CodeKey": "function.zip"}
PSEUDO = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}
NOTHING = object()


class Loader(yaml.SafeLoader):
    pass


def tag(loader, suffix, node):
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: lambda n: loader.construct_sequence(n, deep=True),
             yaml.MappingNode: lambda n: loader.construct_mapping(n, deep=True)}
    value = kinds[type(node)](node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


Loader.add_multi_constructor("!", tag)


def blocks(whole, count, bits):
    """The first blocks of a range, each with so many bits for hosts. As CloudFormation has it, fewer than are asked for are an error."""
    found = list(itertools.islice(ipaddress.ip_network(whole).subnets(new_prefix=32 - bits), count))
    if len(found) < count:
        raise ValueError(f"{whole} has {len(found)} blocks of {bits} bits: expected {count}")
    return [str(block) for block in found]


class Template:
    def __init__(self, **given):
        self.whole = yaml.load(PLACE.read_text(), Loader)
        self.values = {name: about.get("Default") for name, about in self.whole["Parameters"].items()}
        self.values |= GIVEN | given
        self.conditions = self.whole["Conditions"]

    def exists(self, name):
        condition = self.whole["Resources"][name].get("Condition")
        return condition is None or self.resolved(self.conditions[condition])

    def properties(self, name):
        return self.resolved(self.whole["Resources"][name]["Properties"])

    def ref(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.values:
            value = self.values[name]
            listed = self.whole["Parameters"][name]["Type"] == "CommaDelimitedList"
            return value.split(",") if listed and isinstance(value, str) else value
        assert name in self.whole["Resources"], name
        return f"{name}-id"

    def attribute(self, name, attribute):
        assert name in self.whole["Resources"], name
        if attribute == "PrivateIp":
            return "10.40.0.10"
        return f"arn:aws:made-up:{REGION}:{ACCOUNT}:{name}" if attribute == "Arn" else f"{name}-{attribute}"

    def sub(self, value):
        text, own = value if isinstance(value, list) else (value, {})
        def one(match):
            name = match[1]
            if name in own:
                return str(self.resolved(own[name]))
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))
        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", one, text)

    def resolved(self, value):
        if isinstance(value, list):
            return [one for one in map(self.resolved, value) if one is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, inner), = value.items()
            if name == "Ref":
                return self.ref(inner)
            if name == "Fn::Sub":
                return self.sub(inner)
            if name == "Fn::GetAtt":
                return self.attribute(*inner)
            if name == "Fn::If":
                return self.resolved(inner[1] if self.resolved(self.conditions[inner[0]]) else inner[2])
            if name == "Fn::Equals":
                one, other = map(self.resolved, inner)
                return one == other
            if name == "Fn::Not":
                return not self.resolved(inner[0])
            if name == "Fn::Join":
                return inner[0].join(str(one) for one in self.resolved(inner[1]))
            if name == "Fn::Base64":
                return base64.b64encode(self.resolved(inner).encode()).decode()
            if name == "Fn::Select":
                at, among = self.resolved(inner)
                return among[at]
            if name == "Fn::Cidr":
                return blocks(*self.resolved(inner))
            if name == "Fn::GetAZs":
                return [f"{REGION}{zone}" for zone in "abc"]
        resolved = {key: self.resolved(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not NOTHING}
