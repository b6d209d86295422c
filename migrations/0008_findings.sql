-- Reserved: its part of the work fills it in.

SELECT 1;
