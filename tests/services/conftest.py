from tests.shop import shop, world

__all__ = ["shop", "world"]
