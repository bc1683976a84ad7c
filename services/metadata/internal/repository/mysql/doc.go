// Package mysql keeps metadata in a MySQL or MariaDB database.
package mysql
