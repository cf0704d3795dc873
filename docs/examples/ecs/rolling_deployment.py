"""A rolling deployment of an ECS service, told by moto, with ringmain in front and under load.

Starts moto, three upstreams that stand for the tasks of revision 1, and ringmain; then replaces one
task after the other by one of revision 2 while requests keep coming. Prints what the clients saw and
what /ecs says. Ends with 1 if any request failed.
"""

import argparse
import http.client
import http.server
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

TASKS = 3
HERE = pathlib.Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ringmain", default="ringmain", help="the executable")
    parser.add_argument("--io-engine", default="auto", help="as ringmain takes it")
    parser.add_argument("--api-port", type=int, default=5000)
    parser.add_argument("--task-port", type=int, default=8080)
    parser.add_argument("--proxy-port", type=int, default=10000)
    parser.add_argument("--admin-port", type=int, default=9901)
    return parser.parse_args()


class Task(http.server.ThreadingHTTPServer):
    """An upstream on a loopback address of its own, as a task in host mode on an instance."""

    daemon_threads = True

    def __init__(self, address, port, revision):
        self.revision = revision
        super().__init__((address, port), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"revision {self.server.revision}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Load(threading.Thread):
    """Requests over one connection until stopped."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stopped = port, threading.Event()
        self.seen, self.failures = {}, []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.stopped.is_set():
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                body = response.read().decode().strip()
                if response.status != 200:
                    self.failures.append(f"{response.status} {body}")
                self.seen[body] = self.seen.get(body, 0) + 1
            except OSError as error:
                self.failures.append(repr(error))
                connection.close()
            time.sleep(0.002)


class Service:
    """The ECS service `checkout` in the cluster `prod`, on one instance a task."""

    def __init__(self, endpoint, port):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        options = {"endpoint_url": endpoint, "region_name": "eu-west-1", **keys}
        self.ecs = boto3.client("ecs", **options)
        self.ec2 = boto3.client("ec2", **options)
        self.port = port
        self.instances = []
        self.ecs.create_cluster(clusterName="prod")

    def add_instances(self, addresses):
        network = self.ec2.create_vpc(CidrBlock="127.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(
            VpcId=network, CidrBlock="127.0.0.0/24", AvailabilityZone="eu-west-1b"
        )["Subnet"]["SubnetId"]
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        for address in addresses:
            launched = self.ec2.run_instances(
                ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, PrivateIpAddress=address
            )
            document = {"instanceId": launched["Instances"][0]["InstanceId"]}
            registered = self.ecs.register_container_instance(
                cluster="prod", instanceIdentityDocument=json.dumps(document)
            )
            self.instances.append(registered["containerInstance"]["containerInstanceArn"])

    def register_revision(self):
        mapping = {"containerPort": self.port, "hostPort": self.port, "name": "http"}
        container = {"name": "app", "image": "checkout", "memory": 10, "portMappings": [mapping]}
        definition = self.ecs.register_task_definition(
            family="checkout", networkMode="host", containerDefinitions=[container]
        )
        return definition["taskDefinition"]["revision"]

    def start(self, instance, revision):
        started = self.ecs.start_task(
            cluster="prod",
            taskDefinition=f"checkout:{revision}",
            containerInstances=[self.instances[instance]],
            group="service:checkout",
            startedBy=f"ecs-svc/{revision}",
        )
        return started["tasks"][0]["taskArn"]


def wait_until(what, condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit(f"waited in vain: {what}")


def admin(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.read().decode()
    except OSError:
        return ""


def configuration(options, folder):
    text = (HERE / "ringmain.yaml").read_text()
    text = text.replace("5000", str(options.api_port))
    text = text.replace("10000", str(options.proxy_port)).replace("9901", str(options.admin_port))
    path = pathlib.Path(folder) / "ringmain.yaml"
    path.write_text(text)
    return path


def deploy(service, options, tasks):
    """Replaces each task: the new one first, then the old one is stopped."""
    revision = service.register_revision()
    for index in range(TASKS):
        address = f"127.0.0.{2 + TASKS + index}"
        Task(address, options.task_port, revision)
        service.start(TASKS + index, revision)
        row = f"{address}:{options.task_port} zone=eu-west-1b revision=checkout:{revision}"
        wait_until("the new task to be in", lambda: row in admin(options.admin_port, "/ecs"))
        old = tasks[index]
        service.ecs.stop_task(cluster="prod", task=old)
        gone = f"checkout::127.0.0.{2 + index}:"
        wait_until("the old task to leave", lambda: gone not in admin(options.admin_port, "/clusters"))
        print(f"task {index + 1} of {TASKS} is of revision {revision} now", flush=True)


def main():
    options = arguments()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    api = ThreadedMotoServer(ip_address="127.0.0.1", port=options.api_port, verbose=False)
    api.start()
    # moto lets a task run for one description only, unless told otherwise.
    transition = {"model_name": "ecs::task", "transition": {"progression": "manual", "times": 10**6}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{options.api_port}/moto-api/state-manager/set-transition",
        data=json.dumps(transition).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(request).close()
    service = Service(f"http://127.0.0.1:{options.api_port}", options.task_port)
    service.add_instances([f"127.0.0.{2 + index}" for index in range(2 * TASKS)])
    revision = service.register_revision()
    service.ecs.create_service(
        cluster="prod", serviceName="checkout", taskDefinition="checkout:1", desiredCount=TASKS
    )
    for index in range(TASKS):
        Task(f"127.0.0.{2 + index}", options.task_port, revision)
    tasks = [service.start(index, revision) for index in range(TASKS)]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with tempfile.TemporaryDirectory() as folder:
        command = [options.ringmain, "-c", configuration(options, folder), "--concurrency", "1"]
        command += ["--io-engine", options.io_engine]
        proxy = subprocess.Popen(command, env={**os.environ, **keys})
        try:
            wait_until("ringmain", lambda: "LIVE" in admin(options.admin_port, "/ready"))
            load = [Load(options.proxy_port) for _ in range(4)]
            for client in load:
                client.start()
            deploy(service, options, tasks)
            time.sleep(0.5)
            for client in load:
                client.stopped.set()
                client.join()
            print(admin(options.admin_port, "/ecs"))
        finally:
            proxy.terminate()
            proxy.wait()
    api.stop()
    failures = [failure for client in load for failure in client.failures]
    answered = sum(sum(client.seen.values()) for client in load)
    seen = {body for client in load for body in client.seen}
    print(f"{answered} requests, {len(failures)} failed; answers: {', '.join(sorted(seen))}")
    for failure in failures[:5]:
        print(failure)
    sys.exit(1 if failures or len(seen) < 2 else 0)


if __name__ == "__main__":
    main()
