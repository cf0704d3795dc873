"""Scans a TLS port with sslyze, and holds what it finds against Mozilla's intermediate configuration.

Arguments: name of the server, port on loopback. Writes a line for each finding.
"""

import sys
import warnings

warnings.simplefilter("ignore")

from sslyze import Scanner, ServerNetworkLocation, ServerScanRequest, ServerScanStatusEnum
from sslyze.mozilla_tls_profile.tls_config_checker import (
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

# Its certificate is signed by nobody that is known, and for longer than others.
OF_THE_TEST = ["certificate_path_validation", "maximum_certificate_lifespan"]

name, port = sys.argv[1:]
location = ServerNetworkLocation(hostname=name, port=int(port), ip_address="127.0.0.1")
scanner = Scanner()
scanner.queue_scans([ServerScanRequest(server_location=location)])
(result,) = scanner.get_results()
assert result.scan_status is ServerScanStatusEnum.COMPLETED, result.connectivity_error_trace

try:
    check_server_against_tls_configuration(
        server_scan_result=result,
        tls_config_to_check_against=MozillaTlsConfiguration.get(
            TlsConfigurationEnum.MOZILLA_INTERMEDIATE
        ),
    )
except ServerNotCompliantWithTlsConfiguration as found:
    for issue, text in found.issues.items():
        if issue not in OF_THE_TEST:
            print(f"{issue}: {text}")

scan = result.scan_result
if scan.tls_compression.result.supports_compression:
    print("compression")
if scan.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos:
    print("renegotiation by clients")
if not scan.tls_fallback_scsv.result.supports_fallback_scsv:
    print("no TLS_FALLBACK_SCSV")
print("done")
