"""The relays that are compared: how each is made ready for the same duty, as far as its maker's defaults allow it: relay from
loopback for anybody, everything to one smarthost, no DNS, no content checks, mail kept on the disk that it is given.

Each listens on loopback, has room for the connections of the largest work, and writes its log as it does by default.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import ground
import lab
import ringpost


class Program:
    """One relay, ready to be started on a disk, in a group. `spool` and `command` are the subclass's."""

    name = ""
    origin = ""  # where it comes from

    def start(self, disk, group, port, sink_port):
        words = self.command(disk, port, sink_port)

        def enter():
            group.join()
            if lab.TWO_CPUS:
                os.sched_setaffinity(0, {0})

        ringpost.Process(self.name, words, preexec_fn=enter, cwd="/")
        ringpost.wait_until(lambda: lab.accepts(port), "%s to listen" % self.name)

    def command(self, disk, port, sink_port):
        raise NotImplementedError

    @classmethod
    def unavailable(cls):
        """Why it can't take part; empty: it can."""
        return ""

    def version(self):
        raise NotImplementedError


class Ringpost(Program):
    name = "ringpost"
    origin = "this tree"

    def command(self, disk, port, sink_port):
        relay = ringpost.Relay(route="127.0.0.1:%d" % sink_port, cores=1, port=port, spool_directory=disk.path / "spool",
                               limits='memory = "2G"\nqueue_messages = 1000000')
        return [ringpost.executable("ringpost"), "serve", "--config", str(relay.config_path)]

    def version(self):
        return ground.quietly(ringpost.executable("ringpost"), "--version").split()[-1] + " (" + lab.commit() + ")"


class Postfix(Program):
    name = "postfix"
    origin = "Debian postfix"

    @classmethod
    def unavailable(cls):
        return "" if lab.Postfix.installed() else "package postfix is not installed"

    def command(self, disk, port, sink_port):
        directory = disk.path / "postfix"
        directory.mkdir()
        instance = lab.Postfix()
        instance.configure(directory, port, "127.0.0.1:%d" % sink_port)
        with open(directory / "etc/main.cf", "a", encoding="utf-8") as configuration:
            configuration.write("default_process_limit = 400\n")
        return [str(instance.DAEMONS / "master"), "-c", str(directory / "etc"), "-d"]

    def version(self):
        return ground.quietly("dpkg-query", "-W", "-f", "${Version}", "postfix").strip()


class Exim(Program):
    name = "exim"
    origin = "Debian exim4-daemon-light"
    CONFIGURATION = """
primary_hostname = relay.test
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {disk}/exim
log_file_path = {disk}/exim-log/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
smtp_accept_max = 1000
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 1000
host_lookup =
rfc1413_query_timeout = 0s
split_spool_directory = true
tls_advertise_hosts =
acl_smtp_rcpt = anybody
acl_smtp_data = anybody
begin acl
anybody:
  accept
begin routers
smarthost:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = smarthost
begin transports
smarthost:
  driver = smtp
  port = {sink_port}
  allow_localhost
  multi_domain
  max_rcpt = 100
begin retry
* * F,1h,10s
"""

    def __init__(self):
        self.root = ground.Root(self.name, ["exim4-daemon-light", "exim4-config"])

    def command(self, disk, port, sink_port):
        text = self.CONFIGURATION.format(disk=ground.DISK_IN_ROOT, port=port, sink_port=sink_port)
        (disk.path / "exim.conf").write_text(text)
        return self.root.inside("cd {root}%(disk)s; mkdir exim exim-log; chroot {root} chown Debian-exim:Debian-exim "
                                "%(disk)s/exim %(disk)s/exim-log; cp exim.conf {root}/etc/exim4/exim4.conf; "
                                "exec chroot {root} /usr/sbin/exim4 -bdf -q10s" % {"disk": ground.DISK_IN_ROOT}, disk)

    def version(self):
        return self.root.run("chroot {root} /usr/sbin/exim4 --version").split()[2]


class OpenSmtpd(Program):
    name = "opensmtpd"
    origin = "Debian opensmtpd"
    CONFIGURATION = """
smtp max-message-size 100M
listen on 127.0.0.1 port {port} hostname relay.test
action "smarthost" relay host "smtp://127.0.0.1:{sink_port}"
match from any for any action "smarthost"
"""

    def __init__(self):
        self.root = ground.Root(self.name, ["opensmtpd"])

    def command(self, disk, port, sink_port):
        (disk.path / "smtpd.conf").write_text(self.CONFIGURATION.format(port=port, sink_port=sink_port))
        return self.root.inside("mkdir -p {root}%(disk)s/smtpd; chmod 711 {root}%(disk)s/smtpd; mkdir -p {root}/var/spool/smtpd; "
                                "mount --bind {root}%(disk)s/smtpd {root}/var/spool/smtpd; "
                                "exec chroot {root} /usr/sbin/smtpd -d -f %(disk)s/smtpd.conf"
                                % {"disk": ground.DISK_IN_ROOT}, disk)

    def version(self):
        return self.root.run("chroot {root} dpkg-query -W -f '${{Version}}' opensmtpd").strip()


class Haraka(Program):
    name = "haraka"
    origin = "npm Haraka"
    PLUGIN = """
exports.register = function () {{
  this.register_hook('lookup_rdns', 'no_dns');
  this.register_hook('connect', 'trust');
  this.register_hook('rcpt', 'take');
  this.register_hook('get_mx', 'smarthost');
}};
exports.no_dns = (next) => next(OK, 'client.test');
exports.trust = (next, connection) => {{ connection.relaying = true; next(); }};
exports.take = (next) => next(OK);
exports.smarthost = (next) => next(OK, {{ priority: 0, exchange: '127.0.0.1', port: {sink_port} }});
"""

    @classmethod
    def unavailable(cls):
        return "" if shutil.which("npm") and shutil.which("node") else "node and npm are not installed"

    def __init__(self):
        self.path = ground.CACHE / self.name
        if not (self.path / "node_modules/Haraka/haraka.js").exists():
            print("haraka: npm install Haraka, in %s" % self.path, file=sys.stderr)
            self.path.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "install", "--prefix", str(self.path), "--silent", "Haraka"], check=True, timeout=600,
                           stdout=subprocess.DEVNULL)

    def command(self, disk, port, sink_port):
        home = disk.path / "haraka"
        for part in ("config", "plugins", "queue"):
            (home / part).mkdir(parents=True)
        files = {"smtp.ini": "listen=127.0.0.1:%d\nnodes=0\n" % port, "plugins": "smarthost\n", "me": "relay.test\n",
                 "outbound.ini": "concurrency_max=100\nlocal_mx_ok=true\nenable_tls=false\n", "loglevel": "NOTICE\n"}
        # It falls over without its own defaults.
        shutil.copy(self.path / "node_modules/Haraka/config/connection.ini", home / "config")
        for name, text in files.items():
            (home / "config" / name).write_text(text)
        (home / "plugins/smarthost.js").write_text(self.PLUGIN.format(sink_port=sink_port))
        return ["node", str(self.path / "node_modules/Haraka/bin/haraka"), "-c", str(home)]

    def version(self):
        text = (self.path / "node_modules/Haraka/package.json").read_text()
        return json.loads(text)["version"]


ALL = {program.name: program for program in (Ringpost, Postfix, Exim, OpenSmtpd, Haraka)}
