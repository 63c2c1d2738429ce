"""Storyworld."""

from __future__ import annotations


# § sec-storyworld-words
def entries(text: str) -> tuple[str, ...]:
    """Words of a list, in its order; ``_`` stands for a space."""
    return tuple(word.replace("_", " ") for word in text.split())


def table(text: str) -> dict[str, str]:
    """Pairs ``key=value``, in their order; ``_`` stands for a space."""
    return dict(entry.split("=") for entry in entries(text))


GIRLS = entries("""
    Mia Lily Anna Zoe Ella Ruby Nora Lucy Hana Maya Rosa Amina Clara Elsa
    Freya Greta Molly Kira Leila Mona Nina Olga Paula Rita Sara Tess Uma
    Vera Wendy Yara Zara Bella Dora Emma Fatima Julia""")
BOYS = entries("""
    Tom Max Ben Sam Leo Hugo Rafi Finn Jack Omar Noah Adam Carl Dan Emil
    Felix Gus Henry Ivan Jonas Kofi Luca Milo Nico Oscar Paul Ravi Simon
    Theo Umar Victor Walter Yusuf Zack Arlo Boris""")
NAMES = GIRLS + BOYS
HER = frozenset(GIRLS)  # who is called "she"
COLORS = entries("""
    red blue green yellow orange purple pink white black brown gray golden
    """)
NUMBERS = entries("""
    zero one two three four five six seven eight nine ten eleven twelve
    thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
    twenty-one twenty-two twenty-three twenty-four""")
PRONOUNS = {  # form in a template: for a girl, for a boy
    "he": ("she", "he"), "him": ("her", "him"), "his": ("her", "his"),
    "himself": ("herself", "himself"),
}

WORDS: dict[str, tuple[str, ...]] = {
    "animal": entries("""
        fox rabbit bear mouse hedgehog squirrel otter badger frog duck owl
        mole beaver raccoon kitten puppy pony lamb goat hen penguin turtle
        lizard panda koala zebra monkey elephant hamster donkey"""),
    "trait": entries("""
        brave shy curious cheerful clever gentle quiet kind lively patient
        proud lazy funny polite careful busy silly honest stubborn friendly
        dreamy sleepy noisy helpful playful thoughtful tiny tall bold calm
        eager nervous merry messy neat bright serious chatty loyal wise"""),
    "thing": entries("""
        ball doll drum puppet whistle lantern basket bucket blanket pillow
        cup bottle ribbon bag backpack notebook pencil marble yo-yo flute
        trumpet bell button candle mirror fan mask crown cape sweater
        jacket belt purse comb brush toy_boat toy_car toy_truck toy_train
        paintbrush seashell bracelet necklace ring magnet
        compass telescope paper_boat stuffed_bear toy_horse guitar
        tambourine harmonica puzzle teacup spoon hammock cushion wallet
        kettle thermos vest tie glove mitten slipper rattle"""),
    "light": entries("""
        kite hat scarf balloon cap flag paper_plane umbrella handkerchief
        bonnet feather pinwheel shirt towel"""),
    "vehicle": entries("""
        truck bus tractor cart bicycle wagon van train carriage boat ferry
        milk_cart taxi motorbike sleigh barge"""),
    "item": entries("""
        shell stone acorn leaf berry mushroom flower chestnut pinecone coin
        nut pear plum pebble bead stick strawberry cherry daisy twig bean
        walnut bottlecap clover"""),
    "treat": entries("""
        cookie apple muffin pancake grape carrot cupcake waffle bun pretzel
        biscuit peach dumpling donut radish sandwich banana cracker"""),
    "seed": entries("""
        sunflower pumpkin tomato bean pea melon rose tulip cucumber lemon
        cabbage daffodil lettuce pepper onion"""),
    "box": entries("""
        box hamper drawer jar chest barrel pot suitcase tin crate trunk
        cupboard sack cabinet bin"""),
}

WORDS |= {
    "place": entries("""
        in_the_park at_the_beach in_the_forest by_the_river by_the_lake
        in_the_garden at_the_market in_the_library at_the_farm
        at_the_harbor in_the_meadow in_the_orchard at_the_station
        by_the_mill in_the_barn by_the_pond at_the_playground
        in_the_square at_the_castle in_the_valley at_the_museum
        at_the_zoo by_the_bridge by_the_windmill at_the_fair
        in_the_village by_the_canal at_the_campground by_the_fountain
        in_the_greenhouse by_the_waterfall at_the_lighthouse"""),
    "outdoors": entries("""
        in_the_park at_the_beach in_the_forest by_the_river by_the_lake
        in_the_garden in_the_meadow in_the_orchard in_the_valley
        by_the_pond on_the_hill on_the_island in_the_field by_the_brook
        in_the_woods in_the_yard on_the_heath by_the_road"""),
    "spot": entries("""
        under_the_bed behind_the_curtain behind_the_stove under_the_stairs
        behind_the_sofa in_a_flower_pot under_the_bench behind_the_door
        in_the_tall_grass under_the_table beside_the_well behind_a_bush
        under_the_porch in_the_hay behind_the_shed under_a_blanket
        behind_the_bookcase in_an_old_boot under_a_flat_stone
        behind_the_fence in_a_hollow_log under_the_armchair
        behind_the_piano in_the_laundry between_two_rocks"""),
    "coffer": entries("""
        box case chest safe coffer crate trunk barrel locker casket"""),
    "job": entries("""
        baker farmer teacher doctor painter gardener librarian fisherman
        shepherd tailor carpenter mayor cook blacksmith miller shopkeeper
        captain clockmaker cobbler beekeeper potter weaver nurse builder
        postman plumber florist dentist"""),
    "weather": entries("""
        sunny windy cloudy foggy warm cool chilly mild breezy bright quiet
        fine fresh frosty lovely misty"""),
}

WORDS |= {
    "noise": entries("""
        tapping scratching rattling squeaking humming thumping rustling
        creaking dripping ticking buzzing clicking whistling knocking
        crunching splashing"""),
    "culprit": entries("""
        branch cat clock gate moth pipe shutter raindrop cricket owl
        washing_line beetle loose_board kettle bat parrot"""),
    "prize": entries("""
        medal cake badge trophy balloon flag rosette book garland
        watermelon"""),
    "heavy": entries("""
        log rock table piano crate cupboard pumpkin boat sofa barrel
        statue cart bench chest boulder bookcase stove bathtub"""),
    "rule": entries("""
        no_pushing no_shouting take_turns share_the_toys
        wait_for_the_slowest ask_before_taking clean_up_afterward
        listen_to_each_other help_whoever_falls tell_the_truth
        no_teasing be_back_before_dark"""),
    "dream": entries("""
        cloud whale moon cheese star rainbow comet paper_ship flying_carpet
        mountain snowflake teapot seahorse sandcastle volcano
        gingerbread_house"""),
    "landmark": entries("""
        oak well bridge gate tower statue bench fence rock stream
        scarecrow signpost chimney barn_door willow birch"""),
    "shelter": entries("""
        oak bridge tower willow birch haystack tent bus_stop arch wall
        statue chestnut_tree beech cart tree_house roof"""),
    "hour": entries("""
        one two three four five six seven eight nine ten eleven twelve"""),
}

TABLES = {  # what belongs to what; both sides reach the text
    "tool": table("""
        birdhouse=hammer shelf=hammer fence=hammer stool=hammer kite=tape
        map=tape poster=tape paper_crown=tape coat=needle doll=needle
        curtain=needle quilt=needle vase=glue bowl=glue teapot=glue
        plate=glue clock=screwdriver scooter=screwdriver robot=screwdriver
        music_box=screwdriver bicycle=pump football=pump air_mattress=pump
        tent=rope swing=rope net=rope gate=oil door=oil sled=wax
        surfboard=wax bookshelf=nail picture_frame=nail"""),
    "ingredient": table("""
        carrot_soup=carrots apple_pie=apples bread=flour omelet=eggs
        lemonade=lemons jam=berries porridge=oats potato_stew=potatoes
        pizza=cheese cocoa=milk rice_pudding=rice popcorn=corn
        onion_soup=onions cherry_cake=cherries toast=butter
        peanut_brittle=peanuts tomato_sauce=tomatoes honey_cake=honey
        fish_pie=fish mushroom_stew=mushrooms"""),
    "school": table("""
        swim=lake skate=rink ride=stable bake=bakery row=river
        dance=ballroom sing=choir fish=pier ski=mountain juggle=circus
        sail=harbor weave=mill carve=workshop climb=cliff
        play_chess=club fly_a_glider=airfield draw=studio
        read_maps=library ring_bells=tower keep_bees=meadow"""),
    "sense": table("""
        lion=roar dog=bark cat=meow cow=moo sheep=baa duck=quack
        snake=hiss frog=croak horse=neigh owl=hoot wolf=howl pig=oink
        goose=honk rooster=crow bee=buzz mouse=squeak"""),
}
COLORED = ("thing", "light", "tool", "vehicle")  # classes with a color
PLURALS = table("""
    leaf=leaves wolf=wolves goose=geese mouse=mice sheep=sheep""")

WORDS |= {
    "glad": entries("""
        glad happy pleased delighted joyful relieved thankful"""),
    "sad": entries("""
        sad unhappy upset gloomy miserable sorry downcast glum"""),
    "afraid": entries("""
        afraid scared frightened worried alarmed uneasy"""),
    "quickly": entries("quickly eagerly promptly gladly kindly bravely"),
    "softly": entries("softly quietly secretly slyly silently"),
    "nice": entries("""
        nice lovely pretty beautiful wonderful splendid fine marvelous"""),
}
