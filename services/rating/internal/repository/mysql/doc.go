// Package mysql keeps ratings in a MySQL or MariaDB database.
package mysql
