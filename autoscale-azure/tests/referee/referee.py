"""Microsoft's own client drives the resource manager in memory: a stand-in that only our client likes is caught here.

usage: referee.py <port> <certificate>
"""

import sys
import time

from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = "workers"
RESOURCES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"

checks = 0


def check(holds, what):
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}")
    checks += 1
    print(f"ok: {what}")


def raised(kinds, call):
    try:
        call()
    except kinds as error:
        return error
    return None


class Token:
    def get_token(self, *scopes, **options):
        return AccessToken("referee", int(time.time()) + 3600)

    def get_token_info(self, *scopes, **options):
        from azure.core.credentials import AccessTokenInfo

        return AccessTokenInfo("referee", int(time.time()) + 3600)


def machine(name, size="Standard_D2s_v5", zone="1", tags=None, **more):
    network = f"{RESOURCES}/network/providers/Microsoft.Network/virtualNetworks/v/subnets/workers"
    image = f"{RESOURCES}/images/providers/Microsoft.Compute/galleries/g/images/node/versions/1.2.3"
    properties = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {
            "imageReference": {"id": image},
            "osDisk": {"name": f"{name}-os", "createOption": "FromImage", "deleteOption": "Delete"},
        },
        "osProfile": {"computerName": name, "adminUsername": "scale", "customData": "I2Nsb3Vk"},
        "networkProfile": {
            "networkApiVersion": "2020-11-01",
            "networkInterfaceConfigurations": [
                {
                    "name": f"{name}-nic",
                    "properties": {
                        "deleteOption": "Delete",
                        "ipConfigurations": [{"name": "w", "properties": {"subnet": {"id": network}}}],
                    },
                }
            ],
        },
    }
    properties.update(more)
    return {"location": "westeurope", "zones": [zone], "tags": tags or {}, "properties": properties}


def main(port, certificate):
    client = ComputeManagementClient(
        Token(),
        SUBSCRIPTION,
        base_url=f"https://localhost:{port}",
        credential_scopes=["https://management.azure.com/.default"],
        connection_verify=certificate,
        polling_interval=1,
    )
    machines = client.virtual_machines

    def create(name, body=None, **options):
        new = dict(etag="*", match_condition=MatchConditions.IfMissing)
        new.update(options)
        return machines.begin_create_or_update(GROUP, name, body or machine(name), **new)

    first = create("first", machine("first", tags={"a": "b"}))
    check(not first.done(), "a created machine is accepted first and made later")
    made = first.result()
    check(made.provisioning_state == "Succeeded" and made.name == "first", "the operation is polled to its end")
    check(made.tags == {"a": "b"} and made.zones == ["1"], "tags and zones come back")
    check(made.id.endswith("/virtualMachines/first"), "the id is that of a machine")
    check(made.os_profile.custom_data is None, "custom data is not given back")
    check(made.vm_id and made.time_created is not None, "it has a unique id and a time of birth")

    found = machines.get(GROUP, "first", expand="instanceView")
    codes = [status.code for status in found.instance_view.statuses]
    check(codes == ["ProvisioningState/succeeded", "PowerState/running"], f"the instance view has states: {codes}")
    check(machines.get(GROUP, "FIRST").name == "first", "names are compared without case")

    error = raised((ResourceModifiedError, ResourceExistsError, HttpResponseError), lambda: create("first"))
    check(error is not None and error.status_code == 412, f"a name that is taken is refused with 412: {error!r}")
    check(error.error.code == "PreconditionFailed", "and says so")

    error = raised(ResourceNotFoundError, lambda: machines.get(GROUP, "nobody"))
    check(error is not None and error.error.code == "ResourceNotFound", "a machine that is not there is 404")
    error = raised(ResourceNotFoundError, lambda: list(machines.list("elsewhere")))
    check(error is not None and error.error.code == "ResourceGroupNotFound", "so is a group")

    error = raised(ResourceExistsError, lambda: create("large", machine("large", "Standard_D4s_v5", "3")))
    check(error is not None and error.error.code == "SkuNotAvailable", "a size that is sold out is refused with 409")
    error = raised(ResourceNotFoundError, lambda: machines.get(GROUP, "large"))
    check(error is not None, "and nothing was made")

    late = create("late", machine("late", "Standard_D4s_v5", "2"))
    error = raised(HttpResponseError, late.result)
    check(error is not None and "AllocationFailed" in str(error), f"a late shortage fails the operation: {error!r}")
    failed = machines.get(GROUP, "late", expand="instanceView")
    check(failed.provisioning_state == "Failed", "and leaves a failed machine")
    codes = [status.code for status in failed.instance_view.statuses]
    check(codes == ["ProvisioningState/failed/AllocationFailed"], f"which says why: {codes}")

    for bad, what in [
        (machine("bad", size="Standard_Unknown"), "an unknown size"),
        (machine("bad", zone="9"), "an unknown zone"),
        (machine("bad", evictionPolicy="Delete"), "an eviction policy without spot"),
    ]:
        error = raised(HttpResponseError, lambda: create("bad", bad))
        check(error is not None and error.status_code == 400, f"{what} is refused with 400")

    create("spot", machine("spot", priority="Spot", evictionPolicy="Delete", billingProfile={"maxPrice": -1})).result()
    create("locked").result()
    create("last").result()
    pages = [[item.name for item in page] for page in machines.list(GROUP).by_page()]
    names = [name for page in pages for name in page]
    check(len(pages) == 3 and sorted(names) == names, f"the list comes in pages: {pages}")
    check(set(names) == {"first", "late", "locked", "last", "spot"}, f"and is whole: {names}")
    check(machines.get(GROUP, "spot").priority == "Spot", "a spot machine is one")
    error = raised(HttpResponseError, lambda: list(machines.list(GROUP, expand="instanceView")))
    check(error is not None and error.status_code == 400, "an expanded list needs a filter")
    empty = f"'virtualMachineScaleSet/id' eq '{RESOURCES}/w/providers/Microsoft.Compute/virtualMachineScaleSets/s'"
    check(not list(machines.list(GROUP, filter=empty, expand="instanceView")), "a filtered list has the members alone")

    error = raised(ResourceExistsError, lambda: machines.begin_delete(GROUP, "locked"))
    check(error is not None and error.error.code == "ScopeLocked", "a locked machine is refused with 409")

    gone = machines.begin_delete(GROUP, "first")
    check(machines.get(GROUP, "first").provisioning_state == "Deleting", "a deleted machine is on its way out")
    error = raised(HttpResponseError, lambda: create("first"))
    check(error is not None and error.status_code == 412, "and its name is still taken")
    gone.result()
    check(raised(ResourceNotFoundError, lambda: machines.get(GROUP, "first")) is not None, "then it is gone")
    machines.begin_delete(GROUP, "first").result()
    check(True, "deleting what is gone is no error")
    create("first").result()
    check(machines.get(GROUP, "first").provisioning_state == "Succeeded", "the name can be used again, with its disk")
    client.disks.begin_delete(GROUP, "nothing").result()
    check(True, "deleting a disk that is not there is no error")
    error = raised(HttpResponseError, lambda: client.disks.begin_delete(GROUP, "first-os").result())
    check(error is not None and error.status_code == 409, "a disk that a machine has is refused")
    print(f"{checks} checks")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
