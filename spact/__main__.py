"The program `spact`, as `python -m spact`."
from spact.cli import main

if __name__ == '__main__': main()
