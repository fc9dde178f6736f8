# SPDX-License-Identifier: Apache-2.0
"""Apache httpd: static files, event and prefork workers; `tls`: a Certificate, then over HTTPS."""
from harness.case import need
from harness.env import tool
from harness.process import Process, free_port
from . import Server

CONFIG = """
ServerRoot {work}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {work}/pid
ErrorLog {work}/error.log
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
{tls}
User root
Group root
StartServers {start}
ServerLimit 200
MaxRequestWorkers 200
{threads}
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot {work}/www
AliasMatch "^/r/" "{work}/www/page.html"
<Directory {work}/www>
  Require all granted
</Directory>
"""


def start(ctx, mpm: str = "event", tls=None) -> Server:
    need(tool("apache2"), "apache2 is not installed")
    modules = "/usr/lib/apache2/modules"
    work, port = ctx.dir("apache"), free_port()
    (work / "www").mkdir()
    (work / "www" / "page.html").write_text("<p>page</p>\n" * 200)
    conf = CONFIG.format(work=work, port=port, mpm=mpm, modules=modules, tls=tls.apache(modules) if tls else "", start=2 if mpm == "event" else 70,
                         # enough threads that none of 64 kept connections must be closed to make room
                         threads="ThreadsPerChild 100" if mpm == "event" else "MaxSpareServers 100")
    # Debian's apache refuses to run its workers as root; the files are readable by all then.
    conf = conf.replace("User root\nGroup root", "User www-data\nGroup www-data")
    for p in (ctx.work, work, work / "www"):
        p.chmod(0o755)
    (work / "httpd.conf").write_text(conf)
    process = Process(ctx, "apache", [tool("apache2"), "-DFOREGROUND", "-f", work / "httpd.conf"],
                      env={"APACHE_RUN_DIR": str(work)})
    process.wait_port(port)
    return Server(process, port, {"methods": "GET,GET,HEAD,GET", **(tls.load if tls else {})}, x_pid=False, by_port=True)
