module github.com/aimdb-dev/aimdb-go

go 1.25
