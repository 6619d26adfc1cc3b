"""Key frames: one to a few painted frames, learnt by a small net that paints the rest of the shot.

    keys (painted by an artist, or by `optimise`) --carry--> their paint along the motion, and where it is to be trusted
    plate, AOVs, carried paint --learning--> a net for this shot --painter--> paint, frame by frame

After Texler et al. 2020 (few-shot patch training) and Kolkin et al. 2022 (nearest neighbours of features).
"""
