# SPDX-License-Identifier: Apache-2.0
"""A certificate of the test's own, and how the servers are told of it."""
from .case import Context, need
from .env import tool
from .process import run


class Certificate:
    """For localhost and 127.0.0.1, signed by itself. `version`: the highest that the load client offers, or any."""

    def __init__(self, ctx: Context, version: str = "any"):
        need(tool("openssl"), "openssl is not installed")
        where = ctx.dir("certificate")
        ctx.work.chmod(0o755)
        where.chmod(0o755)
        self.certificate, self.key = where / "cert.pem", where / "key.pem"
        run(ctx, [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2, "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate])
        self.key.chmod(0o644)
        self.load = {"tls": version}

    @property
    def files(self) -> list:
        return [self.certificate, self.key]

    def nginx(self) -> str:
        return f" ssl; ssl_certificate {self.certificate}; ssl_certificate_key {self.key}; ssl_protocols TLSv1.2 TLSv1.3"

    def apache(self, modules: str) -> str:
        return (f"LoadModule ssl_module {modules}/mod_ssl.so\nLoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so\n"
                f"SSLEngine on\nSSLCertificateFile {self.certificate}\nSSLCertificateKeyFile {self.key}")
