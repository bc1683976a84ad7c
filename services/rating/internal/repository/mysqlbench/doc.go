// Package mysqlbench measures ratings in a real MariaDB: the aggregates of many, and what a write costs.
package mysqlbench
