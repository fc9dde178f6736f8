// SPDX-License-Identifier: Apache-2.0
// Command lines as they are seen on real machines, and the name that each gives.
#include "agent/discovery/service_name.h"

#include <gtest/gtest.h>

namespace clew::discovery {
namespace {

struct Case {
  const char* exe;
  std::vector<std::string> argv;
  const char* name;
};

void PrintTo(const Case& c, std::ostream* out) {
  for (const std::string& word : c.argv) *out << word << ' ';
}

class ProgramName : public testing::TestWithParam<Case> {};

TEST_P(ProgramName, IsTheScriptOrExecutable) { EXPECT_EQ(program_name(GetParam().exe, GetParam().argv), GetParam().name); }

constexpr const char* kPython = "/usr/bin/python3.11";
INSTANTIATE_TEST_SUITE_P(
    Python, ProgramName,
    testing::Values(
        Case{kPython, {"python3", "-m", "http.server"}, "http.server"},
        Case{kPython, {"python3", "-m", "http.server", "8000"}, "http.server"}, Case{kPython, {"python3", "-mhttp.server"}, "http.server"},
        Case{kPython, {"python3", "-Bum", "shop.web"}, "shop.web"}, Case{kPython, {"python3", "/x/app.py"}, "app.py"},
        Case{kPython, {"python3", "-u", "-W", "ignore", "app.py", "-m", "x"}, "app.py"},
        Case{kPython, {"python3", "-Wignore", "-Xdev", "app.py"}, "app.py"}, Case{kPython, {"python3", "-X", "dev", "app.py"}, "app.py"},
        Case{kPython, {"python3", "-bX", "dev", "app.py"}, "app.py"},
        Case{kPython, {"python3", "--check-hash-based-pycs", "always", "app.py"}, "app.py"},
        Case{kPython, {"/usr/bin/python3", "/usr/bin/gunicorn", "app:app"}, "gunicorn"},
        Case{kPython, {"/app/.venv/bin/python", "/app/.venv/bin/uvicorn", "main:app", "--port", "80"}, "uvicorn"},
        Case{kPython, {"python3", "/usr/local/bin/flask", "run"}, "flask"}, Case{kPython, {"python", "-m", "flask", "run"}, "flask"},
        Case{kPython, {"python", "/usr/bin/celery", "-A", "proj", "worker"}, "celery"},
        Case{kPython, {"python", "manage.py", "runserver"}, "manage.py"}, Case{kPython, {"python", "/srv/shop/__main__.py"}, "shop"},
        Case{kPython, {"python", "/srv/shop/"}, "shop"}, Case{kPython, {"python", "__main__.py"}, "__main__.py"},
        Case{kPython, {"python3", "-c", "import x; x.run()", "y.py"}, "python3.11"},
        Case{kPython, {"python3", "-Ic", "pass"}, "python3.11"}, Case{kPython, {"python3", "-", "x"}, "python3.11"},
        Case{kPython, {"python3"}, "python3.11"}, Case{kPython, {"python3", "-m"}, "python3.11"},
        Case{kPython, {"python3", "."}, "python3.11"}, Case{"/usr/bin/python3.13t", {"python3", "app.py"}, "app.py"},
        Case{"/usr/bin/python3-dbg", {"python3-dbg", "app.py"}, "app.py"}, Case{"/opt/pypy/bin/pypy3.10", {"pypy3", "app.py"}, "app.py"},
        Case{kPython, {"gunicorn: master [app:app]"}, "gunicorn"}, Case{kPython, {"gunicorn: worker [shop]"}, "gunicorn"},
        Case{kPython, {"[celeryd: celery@host:MainProcess] -active-"}, "celeryd"}));

constexpr const char* kNode = "/usr/bin/node";
INSTANTIATE_TEST_SUITE_P(
    Node, ProgramName,
    testing::Values(
        Case{kNode, {"node", "server.js"}, "server.js"}, Case{kNode, {"node", "--flag", "server.js"}, "server.js"},
        Case{kNode, {"node", "--max-old-space-size=4096", "/app/index.mjs", "--require", "x"}, "index.mjs"},
        Case{kNode, {"node", "-r", "dotenv/config", "server.js"}, "server.js"},
        Case{kNode, {"node", "--require", "./tracing.js", "--import=./x.mjs", "server.js"}, "server.js"},
        Case{kNode, {"node", "--import", "./x.mjs", "--env-file", ".env", "server.js"}, "server.js"},
        Case{kNode, {"node", "--inspect", "--enable-source-maps", "dist/main"}, "main"}, Case{kNode, {"node", "-e", "http()", "x"}, "node"},
        Case{kNode, {"node", "--eval", "http()"}, "node"}, Case{kNode, {"node", "-p", "1"}, "node"}, Case{kNode, {"node"}, "node"},
        Case{kNode, {"node", "inspect", "app.js"}, "app.js"}, Case{kNode, {"node", "--", "app.js"}, "app.js"},
        Case{kNode, {"node", "."}, "node"}, Case{kNode, {"node", "/app/node_modules/.bin/next", "start"}, "next"},
        Case{kNode, {"npm start"}, "npm"}, Case{kNode, {"npm run start:prod"}, "npm"}, Case{kNode, {"npm exec http-server"}, "npm"},
        Case{kNode, {"node", "/usr/bin/npm", "start"}, "npm"}, Case{kNode, {"node", "/usr/bin/npx", "http-server"}, "npx"},
        Case{kNode, {"PM2 v5.3.0: God Daemon (/root/.pm2)"}, "PM2"}, Case{kNode, {"node /srv/app/server.js"}, "server.js"},
        Case{kNode, {"node", "/app/node_modules/.bin/ts-node", "-P", "tsconfig.json", "src/server.ts"}, "server.ts"},
        Case{kNode, {"node", "/app/node_modules/.bin/tsx", "watch"}, "tsx"},
        Case{"/srv/node7-exporter", {"./node7-exporter", "x.js"}, "node7-exporter"},
        Case{"/usr/bin/node_exporter", {"node_exporter", "x"}, "node_exporter"}, Case{"/usr/bin/nodejs", {"nodejs", "a.js"}, "a.js"}));

constexpr const char* kJava = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";
INSTANTIATE_TEST_SUITE_P(
    Java, ProgramName,
    testing::Values(
        Case{kJava, {"java", "-jar", "/srv/x.jar", "--server.port=80"}, "x.jar"},
        Case{kJava, {"java", "-Xmx1g", "-Dx=y", "-javaagent:/a.jar", "-XX:+UseG1GC", "-jar", "app-1.2.jar"}, "app-1.2.jar"},
        Case{kJava, {"java", "-cp", "/a.jar:/b.jar", "com.acme.Main", "arg"}, "com.acme.Main"},
        Case{kJava, {"java", "-classpath", "x", "-ea", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "com.acme.Main"}, "com.acme.Main"},
        Case{kJava, {"java", "--add-opens=java.base/java.lang=ALL-UNNAMED", "com.acme.Main"}, "com.acme.Main"},
        Case{kJava, {"java", "com/acme/Main"}, "com.acme.Main"}, Case{kJava, {"java", "Main"}, "Main"},
        Case{kJava, {"java", "-p", "mods", "-m", "com.acme.shop/com.acme.Main"}, "com.acme.Main"},
        Case{kJava, {"java", "--module-path=mods", "--module=shop/com.acme.Main"}, "com.acme.Main"},
        Case{kJava, {"java", "-m", "com.acme.shop"}, "com.acme.shop"}, Case{kJava, {"java", "src/com/acme/Server.java"}, "Server.java"},
        Case{kJava, {"java", "@/etc/opts", "com.acme.Main"}, "com.acme.Main"}, Case{kJava, {"java", "@/etc/opts"}, "java"},
        Case{kJava, {"java", "-version"}, "java"}));

INSTANTIATE_TEST_SUITE_P(
    Scripts, ProgramName,
    testing::Values(
        Case{"/usr/bin/ruby3.1", {"ruby", "app.rb", "-o", "x"}, "app.rb"},
        Case{"/usr/bin/ruby3.1", {"ruby", "-I", "lib", "-rjson", "bin/rails", "s"}, "rails"},
        Case{"/usr/bin/ruby3.1", {"ruby", "-W0", "-S", "rackup"}, "rackup"}, Case{"/usr/bin/ruby3.1", {"ruby", "-e", "x"}, "ruby3.1"},
        Case{"/usr/bin/ruby3.1", {"puma 5.6.5 (tcp://0.0.0.0:3000) [shop]"}, "puma"},
        Case{"/usr/bin/ruby3.1", {"ruby", "/usr/bin/bundle", "exec", "puma", "-p", "80"}, "puma"},
        Case{"/usr/bin/ruby3.1", {"ruby", "/usr/bin/bundle"}, "bundle"},
        Case{"/usr/bin/perl", {"perl", "-w", "-I", "lib", "app.pl"}, "app.pl"},
        Case{"/usr/bin/perl", {"/usr/bin/perl", "-MCGI", "-T", "/srv/daemon.pl", "daemon"}, "daemon.pl"},
        Case{"/usr/bin/perl", {"perl", "-ne", "print"}, "perl"}, Case{"/usr/bin/perl", {"starman master -p 80"}, "starman"},
        Case{"/usr/bin/bash", {"bash", "script.sh", "-c"}, "script.sh"},
        Case{"/usr/bin/bash", {"/bin/bash", "-eux", "/x/run.sh"}, "run.sh"},
        Case{"/usr/bin/bash", {"bash", "-o", "pipefail", "run.sh"}, "run.sh"},
        Case{"/usr/bin/bash", {"bash", "+o", "posix", "run.sh"}, "run.sh"},
        Case{"/usr/bin/bash", {"bash", "--rcfile", "/x", "run.sh"}, "run.sh"}, Case{"/usr/bin/bash", {"bash", "-lc", "run.sh"}, "bash"},
        Case{"/usr/bin/bash", {"-bash"}, "bash"}, Case{"/usr/bin/dash", {"sh", "-c", "x y"}, "dash"},
        Case{"/usr/bin/php8.2", {"php", "-S", "0.0.0.0:80", "-t", "public", "router.php"}, "router.php"},
        Case{"/usr/bin/php8.2", {"php", "-S", "0.0.0.0:80"}, "php8.2"},
        Case{"/usr/bin/php8.2", {"php", "-d", "x=1", "artisan", "serve"}, "artisan"},
        Case{"/usr/bin/php8.2", {"php", "-f", "/srv/a.php"}, "a.php"}, Case{"/usr/bin/php8.2", {"php", "-r", "x();"}, "php8.2"},
        Case{"/usr/sbin/php-fpm8.2", {"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"}, "php-fpm8.2"},
        Case{"/usr/bin/deno", {"deno", "run", "--allow-net", "-c", "deno.json", "server.ts"}, "server.ts"},
        Case{"/usr/bin/deno", {"deno", "https://x.example/std/http/file_server.ts?v=1"}, "file_server.ts"},
        Case{"/usr/bin/deno", {"deno", "task", "start"}, "deno"}, Case{"/usr/bin/deno", {"deno", "serve", "--port", "80", "m.ts"}, "m.ts"},
        Case{"/usr/local/bin/bun", {"bun", "run", "--hot", "src/index.ts"}, "index.ts"},
        Case{"/usr/local/bin/bun", {"bun", "index.ts"}, "index.ts"}, Case{"/usr/local/bin/bun", {"bun", "run", "dev"}, "bun"},
        Case{"/usr/local/bin/bun", {"bun", "-e", "x"}, "bun"},
        Case{"/usr/share/dotnet/dotnet", {"dotnet", "/srv/Shop.Web.dll", "--urls", "x"}, "Shop.Web.dll"},
        Case{"/usr/share/dotnet/dotnet", {"dotnet", "exec", "--runtimeconfig", "a.json", "--depsfile", "b.json", "Shop.dll"}, "Shop.dll"},
        Case{"/usr/share/dotnet/dotnet", {"dotnet", "run"}, "dotnet"}, Case{"/usr/bin/lua5.4", {"lua", "-l", "socket", "s.lua"}, "s.lua"},
        Case{"/usr/bin/mono-sgen", {"mono", "x.exe"}, "mono-sgen"}, Case{"/usr/bin/mono", {"mono", "--debug", "x.exe"}, "x.exe"}));

INSTANTIATE_TEST_SUITE_P(Binaries, ProgramName,
                         testing::Values(Case{"/usr/sbin/nginx", {"nginx: worker process"}, "nginx"},
                                         Case{"/usr/sbin/nginx", {"nginx: master process nginx -g daemon off;"}, "nginx"},
                                         Case{"/usr/lib/postgresql/15/bin/postgres", {"postgres: 15/main: walwriter "}, "postgres"},
                                         Case{"/app/server", {"./server", "-port", "80"}, "server"}, Case{"/app/server", {}, "server"},
                                         Case{"/app/server", {"other", "x"}, "server"},
                                         Case{"/app/my server", {"/app/my server"}, "my server"},
                                         Case{"", {"/usr/sbin/nginx", "-g"}, "nginx"}, Case{"", {"python3", "a.py"}, "a.py"},
                                         Case{"", {}, ""}, Case{"/bin/busybox", {"httpd", "-f"}, "httpd"},
                                         Case{"/bin/busybox", {"busybox", "httpd", "-f"}, "httpd"},
                                         Case{"/bin/busybox", {"sh", "/run.sh"}, "run.sh"}, Case{"/bin/busybox", {"/bin/sh"}, "sh"},
                                         Case{"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                                              {"/lib64/ld-linux-x86-64.so.2", "--library-path", "/l", "/app/server"},
                                              "server"}));

TEST(ServiceName, PrecedenceIsVariableThenAttributesThenWorkloadThenProgram) {
  ProcessInfo process;
  process.exe = "/usr/bin/app";
  process.comm = "main";
  process.argv = {"app"};
  using Source = ServiceName::Source;
  EXPECT_EQ(service_name(process).name, "app");
  EXPECT_EQ(service_name(process).source, Source::kProgram);
  EXPECT_EQ(service_name(process, "deployment").name, "deployment");
  process.environment = {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=from%20attributes,a=b"}};
  EXPECT_EQ(service_name(process, "deployment").name, "from attributes");
  EXPECT_EQ(service_name(process).source, Source::kResourceAttributesVariable);
  process.environment.emplace_back("OTEL_SERVICE_NAME", "shop");
  EXPECT_EQ(service_name(process, "deployment").name, "shop");
  EXPECT_EQ(service_name(process).source, Source::kServiceNameVariable);
}

TEST(ServiceName, EmptyOrBrokenVariablesCountAsUnset) {
  ProcessInfo process;
  process.exe = "/usr/bin/app";
  process.environment = {{"OTEL_SERVICE_NAME", ""}, {"OTEL_RESOURCE_ATTRIBUTES", "service.name=x,broken"}};
  EXPECT_EQ(service_name(process).name, "app");
}

TEST(ServiceName, IsNeverEmpty) {
  ProcessInfo process;
  EXPECT_EQ(service_name(process).name, "unknown_service");
  process.comm = "worker";
  EXPECT_EQ(service_name(process).name, "worker");
  EXPECT_EQ(service_name(process).source, ServiceName::Source::kComm);
}

}  // namespace
}  // namespace clew::discovery
