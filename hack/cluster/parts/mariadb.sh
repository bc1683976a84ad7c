# shellcheck shell=bash
# MariaDB of Debian: a database, and a user who may use only that one, for each of FLEET_DATABASES.

mariadb_address() { echo "$NODE_IP:3306"; }

mariadb_up() {
  own_directory /var/lib/mysql
  in_node test -d /var/lib/mysql/mysql || mariadb_install
  mariadb_accounts | in_node install -m 0400 -o nobody -g nogroup /dev/stdin /run/mariadb-accounts.sql
  node_start mariadb "${AS_NOBODY[@]}" mariadbd --no-defaults --datadir=/var/lib/mysql --socket=/var/lib/mysql/mysqld.sock \
    --bind-address="$NODE_IP" --port=3306 --skip-name-resolve --init-file=/run/mariadb-accounts.sql \
    --character-set-server=utf8mb4 --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --max-connections=500
}

mariadb_install() {
  in_node "${AS_NOBODY[@]}" mariadb-install-db --no-defaults --datadir=/var/lib/mysql --skip-test-db \
    --skip-name-resolve --innodb-log-file-size=16M --auth-root-authentication-method=normal >>"$LOGS/mariadb.log" 2>&1 ||
    die "MariaDB's first data could not be written, see $LOGS/mariadb.log"
}

# mariadb_accounts is run at each start, before the first connection is accepted.
mariadb_accounts() {
  local name password
  echo "ALTER USER root@localhost IDENTIFIED BY '$(credential mariadb-root)';"
  for name in $FLEET_DATABASES; do
    password=$(credential "mariadb-$name")
    echo "CREATE DATABASE IF NOT EXISTS \`$name\`;"
    echo "CREATE USER IF NOT EXISTS '$name'@'%' IDENTIFIED BY '$password';"
    echo "GRANT ALL ON \`$name\`.* TO '$name'@'%';"
  done
}

mariadb_ready() {
  local name=${FLEET_DATABASES%% *}
  in_node env MYSQL_PWD="$(credential "mariadb-$name")" \
    mariadb --no-defaults -h "$NODE_IP" -u "$name" --connect-timeout=2 -e 'SELECT 1' "$name"
}
