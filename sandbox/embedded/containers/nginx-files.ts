const configuration = `
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;

    sendfile        on;
    keepalive_timeout  65;

    include /etc/nginx/conf.d/*.conf;
}
`

const defaultServer = `server {
    listen       80;
    listen  [::]:80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
`

const welcome = `<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is running in this container and answers.</p>
</body>
</html>
`

/** Our own, with the output of the image's. */
const entrypoint = `#!/bin/sh
# Prepares the configuration before nginx starts, then runs the command it is given.
set -e
say() {
  [ -n "$NGINX_ENTRYPOINT_QUIET_LOGS" ] || echo "$0: $1"
}
if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
  say "/docker-entrypoint.d/ is not empty, will attempt to perform configuration"
  say "Looking for shell scripts in /docker-entrypoint.d/"
  for step in /docker-entrypoint.d/*; do
    case "$step" in
      *.envsh) say "Sourcing $step"; . "$step" ;;
      *.sh)
        if [ -x "$step" ]; then say "Launching $step"; "$step"; else say "Ignoring $step, not executable"; fi ;;
      *) say "Ignoring $step" ;;
    esac
  done
  say "Configuration complete; ready for start up"
fi
exec "$@"
`

const steps = {
  '/docker-entrypoint.d/10-listen-on-ipv6-by-default.sh': `#!/bin/sh
config=/etc/nginx/conf.d/default.conf
say() {
  [ -n "$NGINX_ENTRYPOINT_QUIET_LOGS" ] || echo "10-listen-on-ipv6-by-default.sh: info: $1"
}
if [ ! -f $config ]; then say "$config is not a file or does not exist"; exit 0; fi
if [ ! -w $config ]; then say "can not modify $config (read-only file system?)"; exit 0; fi
say "Getting the checksum of $config"
if grep -q 'listen  \\[::\\]:80;' $config; then say "Enabled listen on IPv6 in $config"; else say "$config differs from the packaged version"; fi
`,
  '/docker-entrypoint.d/15-local-resolvers.envsh': '#!/bin/sh\n',
  '/docker-entrypoint.d/20-envsubst-on-templates.sh': `#!/bin/sh
defined=$(env | sed 's/=.*//; s/^/$/')
for template in /etc/nginx/templates/*.template; do
  if [ ! -f "$template" ]; then continue; fi
  target=/etc/nginx/conf.d/$(basename "$template" .template)
  if [ -z "$NGINX_ENTRYPOINT_QUIET_LOGS" ]; then
    echo "20-envsubst-on-templates.sh: Running envsubst on $template to $target"
  fi
  envsubst "$defined" < "$template" > "$target"
done
`,
  '/docker-entrypoint.d/30-tune-worker-processes.sh': '#!/bin/sh\n',
}

/** What nginx' image has in it beside Debian. */
export const nginxFiles = {
  '/etc/nginx/nginx.conf': configuration,
  '/etc/nginx/conf.d/default.conf': defaultServer,
  '/etc/nginx/mime.types':
    'types {\n    text/html                             html htm shtml;\n    text/css                              css;\n    application/javascript                js;\n    application/json                      json;\n    text/plain                            txt;\n}\n',
  '/usr/share/nginx/html/index.html': welcome,
  '/usr/share/nginx/html/50x.html':
    '<!DOCTYPE html>\n<html>\n<head>\n<title>Error</title>\n</head>\n<body>\n<h1>An error occurred.</h1>\n</body>\n</html>\n',
  '/docker-entrypoint.sh': entrypoint,
  ...steps,
}

export const nginxModes = Object.fromEntries(['/docker-entrypoint.sh', ...Object.keys(steps)].map((path) => [path, 0o755]))
