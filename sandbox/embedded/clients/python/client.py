"""A day's work of the Python client against the cluster of a kubeconfig: prints what each part saw, as one JSON object."""

import json
import sys
import threading
import time
import traceback

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.stream import portforward, stream

NAMESPACE = "python"


def crud():
    core = client.CoreV1Api()
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    made = core.create_namespaced_config_map(
        NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="settings", labels={"a": "b"}), data={"k": "1"})
    )
    made.data["k"] = "2"
    replaced = core.replace_namespaced_config_map("settings", NAMESPACE, made)
    newer = replaced.metadata.resource_version != made.metadata.resource_version
    listed = core.list_namespaced_config_map(NAMESPACE, label_selector="a=b")
    deleted = core.delete_namespaced_config_map("settings", NAMESPACE)
    return {"newer": newer, "listed": [item.data for item in listed.items], "deleted": deleted["status"]}


def pages():
    core = client.CoreV1Api()
    for name in "abcde":
        core.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "page-" + name}, "stringData": {"is": name}})
    sizes, token = [], None
    while token != "":
        page = core.list_namespaced_secret(NAMESPACE, limit=2, _continue=token or None)
        sizes.append(len(page.items))
        token = page.metadata._continue or ""
    return sizes


def errors():
    """What a caller is told: the code, and the Status in the body."""
    core = client.CoreV1Api()
    told = []
    for call in (
        lambda: core.read_namespaced_pod("nowhere", NAMESPACE),
        lambda: core.create_namespace({"metadata": {"name": NAMESPACE}}),
        lambda: core.create_namespaced_service(NAMESPACE, {"metadata": {"name": "-"}, "spec": {"ports": [{"port": 0}]}}),
        lambda: core.patch_namespaced_config_map("kube-root-ca.crt", NAMESPACE, [{"op": "test", "path": "/data", "value": 1}]),
    ):
        try:
            call()
            told.append("nothing")
        except ApiException as error:
            body = json.loads(error.body)
            causes = [(cause.get("field"), cause.get("reason")) for cause in body.get("details", {}).get("causes", [])]
            told.append([error.status, error.reason, body["reason"], body["message"].split(":")[0], causes])
    return told


def patches():
    """The four kinds of patch, each by its content type."""
    apps = client.AppsV1Api()
    container = {"name": "web", "image": "nginx:1.26"}
    labels = {"app": "web"}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}
    apps.create_namespaced_deployment(NAMESPACE, {"metadata": {"name": "web"}, "spec": spec})
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox:1.36", "command": ["sleep", "9"]}]}}}}
    by_name = apps.patch_namespaced_deployment("web", NAMESPACE, sidecar)
    merged = apps.patch_namespaced_deployment(
        "web", NAMESPACE, {"spec": {"template": {"spec": {"containers": [container]}}}}, _content_type="application/merge-patch+json"
    )
    replica = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    stepped = apps.patch_namespaced_deployment("web", NAMESPACE, replica)
    scaled = apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 3}})
    return {
        "strategic": sorted(each.name for each in by_name.spec.template.spec.containers),
        "merge": [each.name for each in merged.spec.template.spec.containers],
        "json": stepped.spec.replicas,
        "scale": scaled.spec.replicas,
    }


def watching():
    core = client.CoreV1Api()
    before = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    body = {"metadata": {"name": "watched"}, "data": {"step": "0"}}
    core.create_namespaced_config_map(NAMESPACE, body)
    core.patch_namespaced_config_map("watched", NAMESPACE, {"data": {"step": "1"}})
    core.delete_namespaced_config_map("watched", NAMESPACE)
    seen, watcher = [], watch.Watch()
    for event in watcher.stream(
        core.list_namespaced_config_map, NAMESPACE, resource_version=before, field_selector="metadata.name=watched", timeout_seconds=20
    ):
        seen.append([event["type"], event["object"].data["step"]])
        if event["type"] == "DELETED":
            watcher.stop()
    gone = watch.Watch()
    try:
        for event in gone.stream(core.list_namespaced_config_map, NAMESPACE, resource_version="999999999", timeout_seconds=1):
            seen.append(event["type"])
    except ApiException as error:
        seen.append(error.status)
    return seen


def applying():
    """Server-side apply by the dynamic client: an owner, a conflict, and force."""
    maps = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")

    def apply(colour, manager, **options):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", "namespace": NAMESPACE}, "data": {"colour": colour}}
        return maps.server_side_apply(body=body, field_manager=manager, **options)

    apply("blue", "first")
    try:
        apply("green", "second")
        conflict = None
    except dynamic.exceptions.ConflictError as error:
        conflict = error.summary()
    forced = apply("green", "second", force_conflicts=True)
    return {"conflict": "first" in (conflict or ""), "managers": [each.manager for each in forced.metadata.managedFields], "data": forced.data.to_dict()}


def customs():
    """A kind of one's own: its definition, objects by the CustomObjectsApi and by the dynamic client, status, validation."""
    properties = {"size": {"type": "integer", "minimum": 1}, "note": {"type": "string", "default": "none"}}
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": properties},
            "status": {"type": "object", "properties": {"seen": {"type": "integer"}}},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    names = {"plural": "crates", "singular": "crate", "kind": "Crate"}
    client.ApiextensionsV1Api().create_custom_resource_definition(
        {"metadata": {"name": "crates.py.example.com"}, "spec": {"group": "py.example.com", "scope": "Namespaced", "names": names, "versions": [version]}}
    )
    crates = client.CustomObjectsApi()
    group = dict(group="py.example.com", version="v1", namespace=NAMESPACE, plural="crates")
    crate = {"apiVersion": "py.example.com/v1", "kind": "Crate", "metadata": {"name": "one"}, "spec": {"size": 2, "stray": True}}
    for _ in range(100):
        try:
            made = crates.create_namespaced_custom_object(body=crate, **group)
            break
        except ApiException as error:
            # the definition is not established yet
            if error.status != 404:
                raise
            time.sleep(0.05)
    status = crates.patch_namespaced_custom_object_status(name="one", body={"status": {"seen": 1}, "spec": {"size": 9}}, **group)
    try:
        crates.patch_namespaced_custom_object(name="one", body={"spec": {"size": 0}}, **group)
        refused = None
    except ApiException as error:
        refused = json.loads(error.body)["message"]
    kind = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="py.example.com/v1", kind="Crate")
    found = kind.get(namespace=NAMESPACE).items
    return {"spec": made["spec"], "status": [status["status"], status["spec"]["size"]], "refused": refused, "found": [each.metadata.name for each in found]}


def streams():
    """exec with both outputs, input and exit code; logs; port-forward."""
    core = client.CoreV1Api()
    web = {"name": "web", "image": "nginx:1.27"}
    shell = {"name": "shell", "image": "busybox:1.36", "command": ["sh", "-c", "echo started; sleep 3600"]}
    core.create_namespaced_pod(NAMESPACE, {"metadata": {"name": "app"}, "spec": {"containers": [web, shell]}})
    for event in watch.Watch().stream(core.list_namespaced_pod, NAMESPACE, field_selector="metadata.name=app", timeout_seconds=50):
        statuses = event["object"].status.container_statuses or []
        if len(statuses) == 2 and all(status.ready for status in statuses):
            break
    execute = core.connect_get_namespaced_pod_exec
    plain = stream(execute, "app", NAMESPACE, container="shell", command=["echo", "hello"], stdout=True, stderr=True, stdin=False, tty=False)
    session = stream(
        execute,
        "app",
        NAMESPACE,
        container="shell",
        command=["sh", "-c", "read line; echo got $line; echo oops >&2; exit 4"],
        stdout=True,
        stderr=True,
        stdin=True,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin("this\n")
    session.run_forever(timeout=20)
    log = core.read_namespaced_pod_log("app", NAMESPACE, container="shell")
    forward = portforward(core.connect_get_namespaced_pod_portforward, "app", NAMESPACE, ports="80")
    socket = forward.socket(80)
    socket.settimeout(20)
    socket.sendall(b"GET / HTTP/1.0\r\nHost: app\r\n\r\n")
    answer = b""
    while chunk := socket.recv(65536):
        answer += chunk
    return {
        "plain": plain,
        "session": [session.read_stdout(), session.read_stderr(), session.returncode],
        "log": log,
        "forwarded": b"Welcome to nginx!" in answer,
        "error": forward.error(80),
    }


def election():
    """Two candidates for a Lease: when the first one's work fails, the second takes over."""
    leaders, broken, second_leads = [], threading.Event(), threading.Event()

    def candidate(name, lead):
        def stopped():
            leaders.append(name + " stopped")

        lock = LeaseLock("work", NAMESPACE, name)
        settings = electionconfig.Config(lock, lease_duration=3, renew_deadline=2, retry_period=1.1, onstarted_leading=lead, onstopped_leading=stopped)
        threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()

    first_leads = threading.Event()

    def first():
        leaders.append("first")
        first_leads.set()
        broken.wait(20)
        raise RuntimeError("out of work")

    def second():
        leaders.append("second")
        second_leads.set()

    candidate("first", first)
    first_leads.wait(20)
    candidate("second", second)
    holder = client.CoordinationV1Api().read_namespaced_lease("work", NAMESPACE).spec.holder_identity
    broken.set()
    second_leads.wait(20)
    lease = client.CoordinationV1Api().read_namespaced_lease("work", NAMESPACE).spec
    return {"leaders": leaders, "holders": [holder, lease.holder_identity]}


config.load_kube_config(config_file=sys.argv[1])
results = {}
for part in (crud, pages, errors, patches, watching, applying, customs, streams, election):
    began = time.monotonic()
    try:
        results[part.__name__] = part()
    except Exception:
        results[part.__name__] = traceback.format_exc()
    # for whoever has to find out where the time went
    print(f"{part.__name__}: {time.monotonic() - began:.1f} s", file=sys.stderr)
print(json.dumps(results))
