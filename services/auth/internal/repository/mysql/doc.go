// Package mysql keeps users in a MySQL or MariaDB database.
package mysql
