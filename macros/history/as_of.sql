{#-
  A query, in brackets, for the history as it was recorded at the end of a landed day: what Strata knew then, with the
  columns of the history. `day` is a date literal's text, such as 2023-07-22.
-#}
{% macro recorded_as_of(relation, day) -%}
    (
        select
            * except (valid_to, closed_on),
            if(closed_on > date'{{ day }}', null, valid_to) as valid_to,
            if(closed_on > date'{{ day }}', null, closed_on) as closed_on
        from {{ relation }}
        where recorded_on <= date'{{ day }}'
    )
{%- endmacro %}


{#-
  A query, in brackets, for the versions that were valid on a day (half-open: from valid_from, before valid_to), at most
  one for each key. `relation` is a history, or what recorded_as_of gives of it.
-#}
{% macro valid_as_of(relation, day) -%}
    (
        select * from {{ relation }}
        where valid_from <= date'{{ day }}' and coalesce(valid_to > date'{{ day }}', true)
    )
{%- endmacro %}
