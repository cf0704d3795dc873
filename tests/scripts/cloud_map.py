"""Cloud Map as moto tells it.

`serve` has the service `web` in the namespace `internal`, writes its port and serves on. `register PORT ID
ADDRESS PORT` and `deregister PORT ID` change the instances there.
"""

import logging
import sys
import threading

import boto3
from moto.server import ThreadedMotoServer


def client(port):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    endpoint = f"http://127.0.0.1:{port}"
    return boto3.client("servicediscovery", endpoint_url=endpoint, region_name="eu-west-1", **keys)


def serve():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    cloud_map = client(port)
    cloud_map.create_http_namespace(Name="internal")
    [namespace] = cloud_map.list_namespaces()["Namespaces"]
    cloud_map.create_service(Name="web", NamespaceId=namespace["Id"])
    print(port, flush=True)
    threading.Event().wait()


def service_at(port):
    cloud_map = client(port)
    [service] = cloud_map.list_services()["Services"]
    return cloud_map, service["Id"]


def register(port, instance, address, task_port):
    cloud_map, service = service_at(port)
    attributes = {
        "AWS_INSTANCE_IPV4": address,
        "AWS_INSTANCE_PORT": task_port,
        "AVAILABILITY_ZONE": "eu-west-1b",
    }
    cloud_map.register_instance(ServiceId=service, InstanceId=instance, Attributes=attributes)


def deregister(port, instance):
    cloud_map, service = service_at(port)
    cloud_map.deregister_instance(ServiceId=service, InstanceId=instance)


if __name__ == "__main__":
    action, *rest = sys.argv[1:]
    {"serve": serve, "register": register, "deregister": deregister}[action](*rest)
