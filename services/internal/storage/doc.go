// Package storage is the one way to a MySQL or MariaDB database: connections, transactions, migrations, readiness.
package storage
