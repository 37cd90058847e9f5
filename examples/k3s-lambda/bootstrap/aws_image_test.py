"""The images for AWS: `python3 aws_image_test.py`, with python-hcl2.

Packer is not asked, and nothing is built: it is tested that the parts of the templates fit to each other, and what their lines do, run under bash
with stand-ins. What `install.sh` does is tested beside it.
"""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CONTROLLER = HERE.parents[1] / "controller/bootstrap"
sys.path.append(str(CONTROLLER))
import stage
import test as aws
from image_test import merged, template

SUDO = stage.RECORD + """
case $1 in
    install) exec "${@:1:$#-1}" "$STAND_IN/root${!#}" ;;
    apt-get) ;;
    *) exec "$@" ;;
esac
"""
CURL = stage.RECORD + 'while (($#)); do case $1 in -o) output=$2 ;; esac; last=$1; shift; done\ncp "$STAND_IN/files/${last##*/}" "$output"\n'


def pattern(condition):
    """The expression of a rule, as Python has it: where RE2 has the end of the text, Python has \\Z."""
    inner, = re.fullmatch(r'\$\{can\(regex\("(\^.*)\$", var\.\w+\)\)\}', condition).groups()
    return inner.replace("\\\\", "\\") + r"\Z"


class Image:
    """A template, and a machine on which its lines are run."""

    def __init__(self, case, path):
        self.text, self.parsed = template(path)
        self.variables, self.locals = merged(self.parsed["variable"]), merged(self.parsed.get("locals", []))
        self.source = self.parsed["source"][0]["amazon-ebs"]["node"]
        self.steps = [(kind, step) for one in self.parsed["build"][0]["provisioner"] for kind, step in one.items()]
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self.at = pathlib.Path(folder.name)
        for name in ["bin", "files", "root"]:
            (self.at / name).mkdir()
        programs = {name: stage.RECORD for name in ["aws", "systemctl", "kubeadm", "kubectl", "kubelet", "containerd", "rm"]}
        for name, text in {**programs, "sudo": SUDO, "curl": CURL}.items():
            stage.Machine.program(self.at / "bin" / name, text)

    def value(self, text, given):
        """What Packer makes of a text, as far as these templates go."""
        return re.sub(r"\$\{([^}]*)\}", lambda match: self.expression(match[1], given), text)

    def expression(self, inner, given):
        if found := re.fullmatch(r'var\.(\w+) == (\S+) \? (\S+) : (\S+)', inner):
            name, wanted, yes, no = found.groups()
            return self.expression(yes if given[name] == wanted[1:-1] else no, given)
        if found := re.fullmatch(r'replace\(var\.(\w+), "(\S+)", "(\S+)"\)', inner):
            return given[found[1]].replace(found[2], found[3])
        if inner.startswith('"'):
            return inner[1:-1]
        kind, name = re.fullmatch(r"(var|local)\.(\w+)", inner).groups()
        return given[name] if kind == "var" else self.value(self.locals[name], given)

    def file(self, name, text):
        (self.at / "files" / name).write_text(text)
        return hashlib.sha256(text.encode()).hexdigest()

    def run(self, at, given):
        """Runs the lines of a step; what is fetched is in `files`."""
        step = self.steps[at][1]
        shebang = step["inline_shebang"].split()
        lines = [line.encode().decode("unicode_escape") for line in step["inline"]]
        environment = dict(self.value(pair, given).split("=", 1) for pair in step["environment_vars"])
        environment |= {"STAND_IN": str(self.at), "TMPDIR": str(self.at), "PATH": f"{self.at}/bin:{os.environ['PATH']}"}
        done = subprocess.run(shebang, input="\n".join(lines), env=environment, capture_output=True, text=True, timeout=60, check=False)
        self.said = done.stdout + done.stderr
        calls = self.at / "calls"
        self.calls = [line.split("\t") for line in calls.read_text().splitlines()] if calls.exists() else []
        return done.returncode

    def fetched(self):
        return [call[-1] for call in self.calls if call[0] == "curl"]

    def installed(self):
        root = self.at / "root"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def tearDownModule():
    aws.tearDownModule()


class Images(unittest.TestCase):
    def images(self):
        return [Image(self, HERE / path) for path in ["image.pkr.hcl", "kubeadm/image.pkr.hcl"]]

    def test_what_is_declared_is_used(self):
        for image in self.images():
            code = re.sub(r"^\s*#.*\n", "", image.text, flags=re.M)
            self.assertEqual(set(re.findall(r"\bvar\.(\w+)", code)), image.variables.keys())
            self.assertEqual(set(re.findall(r"\blocal\.(\w+)", code)), image.locals.keys())
            self.assertEqual(image.parsed["build"][0]["sources"], ["source.amazon-ebs.node"])
            for name, variable in image.variables.items():
                for rule in variable.get("validation", []):
                    self.assertIn(f"var.{name})", rule["condition"], "a rule may look at its own variable only")

    def test_no_secret_and_metadata_by_session(self):
        for image in self.images():
            self.assertNotRegex(" ".join([*image.variables, *image.source]), "secret|password|token|key")
            metadata, = image.source["metadata_options"]
            self.assertEqual((metadata["http_tokens"], metadata["http_put_response_hop_limit"], image.source["imds_support"]), ("required", 1, "v2.0"))
            self.assertIs(image.source["encrypt_boot"], True)

    def test_rules_of_variables(self):
        k3s, kubeadm = self.images()
        digest = ["0" * 64], ["0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\n"]
        for image, name, good, bad in [
            (k3s, "architecture", ["x86_64", "arm64"], ["", "amd64", "aarch64", "arm64\n"]), (k3s, "k3s_version", ["v1.33.4+k3s1"], ["v1.33.4", "1.33.4+k3s1", "v1.33.4+k3s1;id"]),
            (k3s, "k3s_sha256", *digest), (k3s, "installer_sha256", *digest), (kubeadm, "aws_cli_sha256", *digest),
            (kubeadm, "kubernetes", ["v1.33.4"], ["v1.33.4+k3s1", "1.33.4", "v1.33", "v1.33.4$(id)"]), (kubeadm, "aws_cli", ["2.31.9"], ["latest", "1.29.0", "2.31", "2.31.9.zip"]),
        ]:
            rule = pattern(image.variables[name]["validation"][0]["condition"])
            matches = lambda text: re.match(rule, text) is not None
            self.assertEqual([[matches(text) for text in good], [matches(text) for text in bad]], [[True] * len(good), [False] * len(bad)], name)
        self.assertEqual(k3s.variables["architecture"]["default"], "x86_64")

    def test_k3s_of_both_architectures(self):
        for architecture, file, builder in [("x86_64", "k3s", "t3.small"), ("arm64", "k3s-arm64", "t4g.small")]:
            with self.subTest(architecture=architecture):
                image = self.images()[0]
                given = {"architecture": architecture, "k3s_version": "v1.33.4+k3s1", "instance_type": "", "k3s_sha256": image.file(file, f"the {file}"),
                         "installer_sha256": image.file("install.sh", "the installer")}
                self.assertEqual(image.run(0, given), 0, image.said)
                self.assertEqual(image.fetched(), [f"https://github.com/k3s-io/k3s/releases/download/v1.33.4%2Bk3s1/{file}",
                                                   "https://raw.githubusercontent.com/k3s-io/k3s/v1.33.4%2Bk3s1/install.sh"])
                self.assertEqual(image.installed(), {"usr/local/bin/k3s", "usr/local/lib/autoscale/install-k3s.sh"}, "where join.sh looks for them")
                self.assertEqual((image.at / "root/usr/local/bin/k3s").read_text(), f"the {file}")
                self.assertEqual(image.value(image.source["instance_type"], given), builder)
                self.assertEqual(image.value(image.source["instance_type"], given | {"instance_type": "m7g.large"}), "m7g.large")
                names = image.source["source_ami_filter"][0]["filters"]["name"]
                self.assertEqual(image.value(names, given), f"al2023-ami-2023.*-kernel-*-{architecture}")

    def test_k3s_with_another_digest_is_not_installed(self):
        for name in ["k3s", "install.sh"]:
            image = self.images()[0]
            digests = [image.file(file, "right") for file in ["k3s", "install.sh"]]
            image.file(name, "evil")
            given = {"architecture": "x86_64", "k3s_version": "v1.33.4+k3s1", "k3s_sha256": digests[0], "installer_sha256": digests[1]}
            self.assertNotEqual(image.run(0, given), 0)
            self.assertEqual(image.installed(), set(), name)

    def test_kubeadm_is_installed_by_the_script_that_azure_has(self):
        image = self.images()[1]
        (_, wait), (kind, upload), (_, install), _ = image.steps
        at = lambda path: pathlib.Path(path.replace("${path.root}", str(HERE / "kubeadm"))).resolve()
        self.assertEqual(wait["inline"], ["cloud-init status --wait"])
        self.assertEqual((kind, at(upload["source"])), ("file", stage.SCRIPT.resolve()))
        self.assertEqual(at(install["script"]), (CONTROLLER / "install.sh").resolve())
        given = dict(pair.split("=", 1) for pair in install["environment_vars"])
        _, azure = template(CONTROLLER / "image.pkr.hcl")
        theirs = dict(pair.split("=", 1) for pair in azure["build"][0]["provisioner"][1]["shell"]["environment_vars"])
        self.assertEqual(given, theirs | {"JOIN": upload["destination"], "DISTRIBUTION": "kubeadm"})
        self.assertEqual(install["execute_command"], azure["build"][0]["provisioner"][1]["shell"]["execute_command"])
        base, release = azure["source"][0]["azure-arm"]["node"]["image_offer"], image.source["source_ami_filter"][0]
        self.assertEqual((base, release["owners"]), ("ubuntu-24_04-lts", ["099720109477"]))
        self.assertIn("-24.04-amd64-", release["filters"]["name"])

    def test_a_machine_joins_kubeadm_by_three_lines_of_user_data(self):
        guide = (HERE.parent / "infrastructure/README.md").read_text()
        lines, = re.findall(r"```sh\n(cat >user-data .*?)```", guide, re.S)
        document = json.loads(re.search(r"```json\n(\{[^`]*?\"kubeadm\".*?)```", guide, re.S)[1])
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "node.json").write_text(json.dumps(document))
            subprocess.run(["bash", "-euc", lines], cwd=folder, check=True)
            user_data = pathlib.Path(folder, "user-data").read_text()
        self.assertEqual((user_data.splitlines()[0], user_data.splitlines()[2:]), ("#!/bin/sh", ["exec /usr/local/lib/autoscale/join.sh"]))
        self.assertIn('"$ROOT/usr/local/lib/autoscale/join.sh"', (CONTROLLER / "install.sh").read_text())
        machine = aws.Machine(image=(), user_data=user_data, token="abcdef.0123456789abcdef")
        self.assertEqual(machine.start(), 0, machine.said)
        self.assertEqual(machine.joined()["discovery"]["bootstrapToken"], {
            "apiServerEndpoint": "10.40.0.10:6443", "token": "abcdef.0123456789abcdef", "caCertHashes": document["ca_hashes"]})
        self.assertEqual(machine.runs("curl"), [], "nothing is downloaded")
        self.assertEqual(machine.runs("aws")[0][:2], ["ssm", "get-parameter"])

    def test_the_command_line_of_aws_comes_by_digest(self):
        image = self.images()[1]
        unpack = 'mkdir aws\nprintf \'#!/bin/sh\\necho installed >>"$STAND_IN/calls"\\n\' >aws/install\nchmod +x aws/install\n'
        stage.Machine.program(image.at / "bin/unzip", stage.RECORD + unpack)
        name = "awscli-exe-linux-x86_64-2.31.9.zip"
        given = {"aws_cli": "2.31.9", "aws_cli_sha256": image.file(name, "right")}
        self.assertEqual(image.run(3, given), 0, image.said)
        self.assertEqual(image.fetched(), [f"https://awscli.amazonaws.com/{name}"])
        self.assertIn(["installed"], image.calls)
        self.assertIn(["rm", upload_of(image)], image.calls, "the script is where install.sh put it")
        # What `join.sh` wants is looked for before there is an image.
        asked = set(image.steps[3][1]["inline"][-1].split()[2:])
        wanted = re.search(r"^tools=\((.*)\)$", stage.SCRIPT.read_text(), re.M)[1].split()
        self.assertLessEqual({*wanted, "aws", "kubeadm", "kubectl"}, asked)
        other = self.images()[1]
        stage.Machine.program(other.at / "bin/unzip", stage.RECORD + unpack)
        other.file(name, "evil")
        self.assertNotEqual(other.run(3, given), 0)
        self.assertNotIn("unzip", {call[0] for call in other.calls}, "nothing of it is looked at")
        (image.at / "bin/aws").unlink()
        if not any(pathlib.Path(folder, "aws").exists() for folder in os.environ["PATH"].split(":")):
            self.assertNotEqual(image.run(3, given), 0, "an image without it is none")


def upload_of(image):
    return image.steps[1][1]["destination"]


if __name__ == "__main__":
    unittest.main()
