from cpuplace_linux import read_host
def test_hello():
    print(read_host("/"))
