"""A client of the Model Context Protocol, of the protocol's own people, before a real daemon: run by .ci/mcp.

Every tool is called over every way there is, and what comes back is held against the tool's own schema. Ends with an
assertion at the first thing that is not as it must be.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import time

import httpx2
import jsonschema
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

LOOKING = {
    "explain_job", "history_query", "plan", "runner_get_status", "runner_list_containers", "runner_list_workflows",
}
STEERING = {
    "runner_provision_for_workflow", "runner_start_autoscaler", "runner_stop_autoscaler", "runner_stop_container",
}
# What each takes at its simplest.
ARGUMENTS = {
    "explain_job": {"labels": ["self-hosted"], "repository": "acme/app"},
    "history_query": {"what": "jobs"},
    "plan": {},
    "runner_get_status": {},
    "runner_list_containers": {"pool": "build"},
    "runner_list_workflows": {},
    "runner_provision_for_workflow": {"pool": "build", "count": 1, "for": "30m"},
    "runner_start_autoscaler": {"pool": "build"},
    "runner_stop_autoscaler": {"pool": "build"},
    "runner_stop_container": {"runner": "ghrunner-build-0"},
}
PATIENCE = 90


def text(result):
    return "\n".join(part.text for part in result.content)


async def good(client, tools, name, **arguments):
    """Calls a tool, which must succeed, and gives what it says, held against its schema."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, f"{name} {arguments}: {text(result)}"
    said = result.structured_content
    jsonschema.Draft202012Validator(tools[name].output_schema).validate(said)
    assert json.loads(text(result)) == said, name
    return said


async def bad(client, name, word, **arguments):
    """Calls a tool, which must refuse with that word, and gives what it says."""
    result = await client.call_tool(name, arguments)
    said = text(result)
    assert result.is_error and f"[{word}]" in said, f"{name} {arguments}: {said}"
    return said


async def eventually(what, holds):
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await holds()
        if found:
            return found
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.5)


async def listed(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.annotations.read_only_hint == (tool.name in LOOKING), tool.name
        jsonschema.validate(ARGUMENTS[tool.name], tool.input_schema)
    return tools


async def looks(client, tools):
    """Every tool that only looks."""
    status = await good(client, tools, "runner_get_status")
    assert status["ready"] and [pool["name"] for pool in status["pools"]] == ["build"], status
    for name in sorted(LOOKING):
        await good(client, tools, name, **ARGUMENTS[name])
    for what in ["runners", "decisions", "audit", "stats"]:
        found = await good(client, tools, "history_query", what=what)
        assert what in found, found
    queues = await good(client, tools, "runner_list_workflows", repository="acme/app", state="queued")
    jobs = [job for queue in queues["repositories"] for job in queue["jobs"]]
    waits = [job for job in jobs if job["name"] == "waits"]
    assert waits and waits[0]["why"] == "no_label" and "no-such-label" in waits[0]["text"], queues
    explained = await good(client, tools, "explain_job", job=waits[0]["id"])
    assert explained["answers"][0]["text"] == waits[0]["text"], explained
    said = await bad(client, "runner_list_containers", "no_such_pool", pool="bild")
    assert "build" in said and "runner_get_status" in said, said
    await bad(client, "explain_job", "bad_call")
    await bad(client, "plan", "bad_call", limits=1)


async def pool(client, tools):
    return (await good(client, tools, "runner_get_status", pool="build"))["pools"][0]


async def steers(client, tools):
    """Every tool that steers, and what it comes to."""
    await good(client, tools, "runner_stop_autoscaler", pool="build")
    await eventually("drained", lambda: drained(client, tools, True))
    said = await bad(client, "runner_provision_for_workflow", "drained", pool="build")
    assert "runner_start_autoscaler" in said, said
    await good(client, tools, "runner_start_autoscaler", all=True)
    await eventually("served again", lambda: drained(client, tools, False))
    done = await good(client, tools, "runner_provision_for_workflow", labels=["self-hosted"], repository="acme/app",
                      count=2, **{"for": "30m"})
    assert done["pool"] == "build" and done["max"] == 3, done

    async def boosted():
        return ((await pool(client, tools))["boost"] or {}).get("count") == 2

    await eventually("boosted", boosted)
    said = await bad(client, "runner_stop_autoscaler", "no_such_pool", pool="bild")
    assert "build" in said and "runner_get_status" in said, said
    await bad(client, "runner_stop_autoscaler", "bad_call")
    await bad(client, "runner_provision_for_workflow", "no_pool", labels=["no-such-label"])
    await bad(client, "runner_stop_container", "no_such_runner", runner="nobody")

    async def idle():
        found = await good(client, tools, "runner_list_containers", pool="build", phase="idle")
        return found["runners"]

    runner = (await eventually("an idle runner", idle))[0]["name"]
    stopped = await good(client, tools, "runner_stop_container", runner=runner)
    assert stopped["runner"] == runner and not stopped["kills"], stopped

    async def gone():
        found = await good(client, tools, "runner_list_containers", limit=100)
        return runner not in [one["name"] for one in found["runners"]]

    await eventually(f"{runner} goes", gone)


async def drained(client, tools, wanted):
    return (await pool(client, tools))["drained"] == wanted


async def kills(client, tools, simulator):
    """What is forced says what it cuts off."""
    async with httpx2.AsyncClient() as http:
        body = {"repository": "acme/app", "labels": ["self-hosted"], "name": "long", "duration": "10m"}
        (await http.post(f"{simulator}/_sim/jobs", json=body)).raise_for_status()

    async def busy():
        found = await good(client, tools, "runner_list_workflows", state="running")
        jobs = [job for queue in found["repositories"] for job in queue["jobs"]]
        return [job["runner"] for job in jobs if job["name"] == "long" and job["runner"]]

    runner = (await eventually("the job runs", busy))[0]
    stopped = await good(client, tools, "runner_stop_container", runner=runner, force=True)
    assert stopped["kills"] and stopped["job"]["name"] == "long", stopped


async def in_the_trail(client, tools, who, what):
    trail = (await good(client, tools, "history_query", what="audit", limit=100))["audit"]
    calls = [entry for entry in trail if entry["kind"] == "call"]
    return any(who in entry["who"] and what in entry["text"] for entry in calls)


async def walk_without_the_role(client, tools, word):
    """Every tool that there is, called by one who may look."""
    assert set((await listed(client)).keys()) == LOOKING
    for name in sorted(tools):
        if name in LOOKING:
            await good(client, tools, name, **ARGUMENTS[name])
        else:
            said = await bad(client, name, word, **ARGUMENTS[name])
            assert "Next:" in said, said
    await bad(client, "runner_stop_autoscaler", word, all=True)


async def strangers(url, credential):
    """Who has no credential, or comes from another site's page, gets nowhere."""
    ping = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    bearer = {"authorization": f"Bearer {credential}"}
    async with httpx2.AsyncClient() as http:
        async def status(headers):
            return (await http.post(url, json=ping, headers=accept | headers)).status_code

        assert await status({}) == 401
        assert await status({"authorization": "Bearer no-credential-of-ours"}) == 401
        assert await status(bearer | {"origin": "https://evil.example"}) == 403
        assert await status(bearer | {"host": "runners.example"}) == 200, "a proxy before it has a name of its own"
        assert (await http.get(url, headers=bearer | accept)).status_code == 405


async def main():
    parser = argparse.ArgumentParser()
    for name in ["binary", "socket", "url", "simulator", "read", "operate"]:
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    read, operate = (pathlib.Path(path).read_text() for path in [args.read, args.operate])

    def over_stdio(*options):
        return StdioServerParameters(command=args.binary, args=["--socket", args.socket, "mcp", *options])

    @contextlib.asynccontextmanager
    async def over_http(credential, mode):
        async with create_mcp_http_client(headers={"authorization": f"Bearer {credential}"}) as http:
            async with Client(streamable_http_client(args.url, http_client=http), mode=mode) as client:
                yield client

    # With the handshake of the protocol's older revisions, and without it.
    for mode in ["auto", "legacy"]:
        for way, opened in [
            ("standard input and output", lambda: Client(over_stdio(), mode=mode)),
            ("HTTP", lambda: over_http(operate, mode)),
        ]:
            async with opened() as client:
                tools = await listed(client)
                assert set(tools) == LOOKING | STEERING, sorted(tools)
                assert "runner_get_status" in (client.instructions or ""), client.instructions
                await looks(client, tools)
                await steers(client, tools)
                version = client.protocol_version
            print(f"mcp: every tool over {way}, {mode}: {version}", flush=True)

    async with over_http(operate, "auto") as steering:
        tools = await listed(steering)
        before = await pool(steering, tools)
        for way, word, opened in [
            ("a credential that may look", "forbidden", lambda: over_http(read, "auto")),
            ("a credential that may look, legacy", "forbidden", lambda: over_http(read, "legacy")),
            ("--read-only", "read_only", lambda: Client(over_stdio("--read-only"))),
        ]:
            async with opened() as client:
                await walk_without_the_role(client, tools, word)
            after = await pool(steering, tools)
            assert (after["drained"], after["boost"]) == (before["drained"], before["boost"]), (before, after)
            print(f"mcp: nothing is changed with {way}", flush=True)
        await kills(steering, tools, args.simulator)
        for who, what in [("credential operate", "/pools/build/drain"), ("user ", "/pools/build/drain"),
                          ("credential operate", "?force=true")]:
            await eventually(f"{who}: {what} in the trail", lambda: in_the_trail(steering, tools, who, what))
    await strangers(args.url, operate)
    print("mcp: all as it must be")


asyncio.run(main())
