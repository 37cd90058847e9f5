"""Puts the scripts of ../bootstrap into template.yaml: `python3 embed.py`; with `--check` it only says whether they are there.

User data takes 16 KiB: the master's script gets its manifests with it compressed, the worker's leaves out what is for another cloud.
"""
import base64
import gzip
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
BOOTSTRAP = HERE.parent / "bootstrap"
CONTROLLER = HERE.parents[1] / "controller/manifests"
MANIFESTS = [CONTROLLER / "namespace.yaml", CONTROLLER / "service-account.yaml", HERE.parents[2] / "autoscale-kube/rbac/cluster-role.yaml",
             BOOTSTRAP / "account.yaml", CONTROLLER / "guard/admission-policy.yaml", BOOTSTRAP / "monitoring.yaml"]


def script(name):
    text = re.sub(r"^# <azure>\n(?:.*\n)*?# </azure>\n", "", (BOOTSTRAP / name).read_text(), flags=re.M)
    if name == "server.sh":
        whole = "\n---\n".join(path.read_text().strip() for path in MANIFESTS)
        packed = base64.b64encode(gzip.compress(whole.encode(), mtime=0)).decode()
        text += "".join(f"# | {packed[at:at + 120]}\n" for at in range(0, len(packed), 120))
    return text


def embedded(template):
    def block(match):
        indent, name = match["indent"] + " " * 4, match["name"]
        lines = (f"{indent}{line}" if line else "" for line in script(name).splitlines())
        return f"{match['head']}\n" + "\n".join(lines) + "\n"

    pattern = r"(?P<head>^(?P<indent> *)- - \| # (?P<name>[a-z]+\.sh))\n(?:(?P=indent)    .*\n|\n)+"
    template, found = re.subn(pattern, block, template, flags=re.M)
    assert found == 2, "the template has no place for both scripts"
    return template


if __name__ == "__main__":
    place = HERE / "template.yaml"
    now, wanted = place.read_text(), embedded(place.read_text())
    if sys.argv[1:] == ["--check"]:
        sys.exit("template.yaml has other scripts in it than bootstrap/: run embed.py" if now != wanted else 0)
    place.write_text(wanted)
