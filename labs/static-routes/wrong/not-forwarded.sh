# All routes are right. What comes in by br-lab of worker2 is still not passed on.
#: on worker
ip route add 10.88.2.0/24 via "$(getent hosts worker2 | awk '{print $1}')"
#: on worker2
ip route add 10.88.1.0/24 via "$(getent hosts worker | awk '{print $1}')"
ip -n y route add default via 10.88.2.1
